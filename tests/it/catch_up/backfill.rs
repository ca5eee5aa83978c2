//! `phasebot backfill` while the bot runs.

use std::sync::{Arc, Mutex};

use clap::Parser;
use jiff::SignedDuration;
use phasebot::{app::Progress, cli::backfill, domain::id::ItemId, port::store::DeliveryFilter};
use phasebot_forge_sim::{Fault, FaultKind, Matcher, MergeMethod, NewCommit, NewDeployment, NewPull, NewRelease};

use super::world::World;
use crate::flow::REPO;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    args: backfill::Args,
}

/// Returns the output of the command, and a line for each page.
async fn run(world: &World, line: &str) -> (Result<String, String>, Vec<String>) {
    let args = Line::parse_from(std::iter::once("backfill").chain(line.split_whitespace())).args;
    let (mut out, pages) = (Vec::new(), Arc::new(Mutex::new(Vec::new())));
    let mut tell = |p: &Progress| pages.lock().unwrap().push(format!("{} {}/{:?}", p.part, p.read, p.expected));
    let (store, github) = (world.open().await, world.github());
    let done = backfill::perform(&args, &*store, &*github, &*world.clock, &mut tell, &mut out).await;
    let pages = pages.lock().unwrap().clone();
    (done.map(|()| String::from_utf8(out).unwrap()).map_err(|failure| failure.to_string()), pages)
}

/// Creates an hour of history before the bot is installed. Returns an open issue, one in work with
/// its pull request, one that was merged, one that runs in production, and one that was closed as
/// not planned.
fn history(world: &World) -> [ItemId; 5] {
    let bob = world.person("bob");
    let pass = |minutes| world.clock.advance(SignedDuration::from_mins(minutes));
    let merge = |branch: &str, body: &str| {
        bob.push(branch, &[NewCommit::from(format!("Work on {branch}"))]).unwrap();
        let new = NewPull { head: branch.into(), title: branch.into(), body: body.into(), ..NewPull::default() };
        let pull = bob.open_pull(&new).unwrap().made;
        pass(5);
        (pull, bob.merge_pull(pull, MergeMethod::Squash).unwrap().made)
    };
    let open = bob.open_issue("Open", "", &[]).unwrap().made;
    let never = bob.open_issue("Never", "", &[]).unwrap().made;
    bob.close(never, "not_planned").unwrap();
    let shipped = bob.open_issue("Shipped", "", &[]).unwrap().made;
    let (_, sha) = merge("shipped", &format!("Closes #{shipped}"));
    pass(5);
    bob.tag("v1.0.0", &sha).unwrap();
    bob.release(&NewRelease { tag: "v1.0.0".into(), ..NewRelease::default() }).unwrap();
    let deployment = NewDeployment {
        reference: sha,
        environment: "production".into(),
        production: Some(true),
        ..NewDeployment::default()
    };
    let id = bob.deployment(&deployment).unwrap().made;
    bob.deployment_status(id, "in_progress").unwrap();
    pass(1);
    bob.deployment_status(id, "success").unwrap();
    pass(5);
    let merged = bob.open_issue("Merged", "", &[]).unwrap().made;
    merge("merged", &format!("Fixes #{merged}"));
    let begun = bob.open_issue("Begun", "", &[]).unwrap().made;
    bob.push("begun", &[NewCommit::from("Begin")]).unwrap();
    // Linked by hand: only the forge knows the link.
    let new = NewPull { head: "begun".into(), title: "Begin".into(), ..NewPull::default() };
    let pull = bob.open_pull(&new).unwrap().made;
    bob.link_issue(pull, begun).unwrap();
    pass(10);
    bob.comment(merged, "Thanks!").unwrap();
    pass(24 * 60);
    world.forge.take_pending();
    [open, begun, merged, shipped, never]
}

async fn phases(world: &World, items: [ItemId; 5]) -> [Option<String>; 5] {
    let repo = world.person("bob").repo();
    let key = phasebot::domain::id::RepoKey { forge: phasebot::domain::id::ForgeName::github(), id: repo };
    let rows = world.store().items(&key).await.unwrap();
    items.map(|item| rows.iter().find(|row| row.item == item).and_then(|row| row.phase.clone()))
}

fn expected() -> [Option<String>; 5] {
    ["plan", "code", "build", "monitor", ""].map(|phase| (!phase.is_empty()).then(|| phase.to_owned()))
}

#[tokio::test]
async fn what_was_before_is_derived_and_nothing_is_written() {
    let mut world = World::new().await;
    let items = history(&world);
    world.start(true).await;
    let (said, pages) = run(&world, REPO).await;
    let said = said.unwrap();
    assert!(said.starts_with("acme/shop: ") && said.contains("writes nothing"), "{said}");
    assert_eq!(pages[..2], ["pulls 3/Some(3)", "issues 5/Some(5)"]);
    world.run(SignedDuration::from_hours(1)).await;
    assert_eq!(phases(&world, items).await, expected());
    assert!(items.iter().all(|item| world.labels(*item).is_empty()));
    let writes: Vec<_> =
        world.forge.requests().into_iter().filter(phasebot_forge_sim::Exchange::is_write).map(|e| e.name()).collect();
    let reads = ["POST /graphql", "POST /app/installations/{installation_id}/access_tokens"];
    assert!(writes.iter().all(|name| reads.contains(&name.as_str())), "{writes:?}");
    world.check();

    // From the first event on, the item's label is kept up to date.
    world.person("bob").comment(items[0], "Soon?").unwrap();
    world.minute().await;
    assert_eq!(items.map(|item| world.labels(item).len()), [1, 0, 0, 0, 0]);
}

#[tokio::test]
async fn labels_are_written_on_request_also_later() {
    let mut world = World::new().await;
    let items = history(&world);
    world.start(true).await;
    run(&world, REPO).await.0.unwrap();
    world.minute().await;
    let (said, _) = run(&world, "acme/shop --write-labels").await;
    assert!(said.unwrap().contains("puts labels on"));
    world.run(SignedDuration::from_mins(10)).await;
    let labels =
        items.map(|item| world.labels(item).first().map(|label| label.trim_start_matches("phase/").to_owned()));
    assert_eq!(labels, expected());
}

#[tokio::test]
async fn without_it_what_was_merged_before_never_moves() {
    let mut world = World::new().await;
    let items = history(&world);
    world.start(true).await;
    world.person("bob").comment(items[3], "How is it?").unwrap();
    world.run(SignedDuration::from_hours(1)).await;
    assert_ne!(phases(&world, items).await[3], Some("monitor".to_owned()));
}

#[tokio::test]
async fn one_that_was_killed_goes_on_where_it_was() {
    let mut world = World::new().await;
    let bob = world.person("bob");
    for n in 0..230 {
        world.clock.advance(SignedDuration::from_secs(1));
        bob.open_issue(&format!("Request {n}"), "", &[]).unwrap();
    }
    world.forge.take_pending();
    let fault = Fault { matcher: Matcher::of("POST", "/graphql"), kind: FaultKind::Status502Before };
    // Pull requests and the first page of issues arrive, the second page does not.
    world.forge.inject_after(2, fault, 1);
    let (failed, pages) = run(&world, REPO).await;
    assert!(failed.unwrap_err().contains("run it again"));
    assert_eq!(pages, ["pulls 0/Some(0)", "issues 100/Some(230)"]);
    let (said, pages) = run(&world, REPO).await;
    assert!(said.unwrap().contains("230 things read"));
    assert_eq!(pages[..2], ["issues 200/Some(230)", "issues 230/Some(230)"]);
    world.start(true).await;
    world.minute().await;
    let filter = DeliveryFilter { event: Some("phasebot.survey".to_owned()), ..DeliveryFilter::default() };
    let notes: Vec<_> = world.store().deliveries(&filter).await.unwrap().into_iter().map(|row| row.note).collect();
    assert_eq!(notes.len(), 3, "{notes:?}");
    // Reading it again adds nothing.
    run(&world, REPO).await.0.unwrap();
    assert_eq!(world.store().deliveries(&filter).await.unwrap().len(), 3);
}

#[tokio::test]
async fn a_limit_is_waited_for_and_time_bounds_it() {
    let world = World::new().await;
    let bob = world.person("bob");
    bob.open_issue("Old", "", &[]).unwrap();
    world.clock.advance(SignedDuration::from_hours(24 * 100));
    bob.open_issue("New", "", &[]).unwrap();
    let limit = FaultKind::RateLimit429 { retry_after: std::time::Duration::from_mins(1) };
    world.forge.inject(Fault { matcher: Matcher::of("POST", "/graphql"), kind: limit }, 1);
    world.clock.set_speed(100.0);
    let (said, _) = run(&world, "acme/shop --since 90d").await;
    let said = said.unwrap();
    assert!(said.contains("limits us") && said.contains("acme/shop: 1 things read"), "{said}");
}

#[tokio::test]
async fn a_repository_without_the_app_is_refused() {
    let world = World::new().await;
    let (said, _) = run(&world, "acme/other").await;
    assert!(said.unwrap_err().contains("the App is not installed on acme/other"));
}

#[tokio::test]
async fn what_changed_in_a_gap_that_the_list_does_not_cover_is_looked_at() {
    let mut world = World::new().await;
    let bob = world.person("bob");
    world.start(true).await;
    let before = bob.open_issue("Before", "", &[]).unwrap().made;
    world.minute().await;
    world.stop();
    world.clock.advance(SignedDuration::from_hours(24));
    let during = bob.open_issue("During", "", &[]).unwrap().made;
    bob.close(before, "not_planned").unwrap();
    // After four days the forge has deleted its deliveries.
    world.forge.take_pending();
    world.clock.advance(SignedDuration::from_hours(4 * 24));
    world.start(true).await;
    world.run(SignedDuration::from_mins(10)).await;
    assert_eq!((world.labels(during), world.labels(before)), (vec!["phase/plan".to_owned()], vec![]));
    world.check();
}
