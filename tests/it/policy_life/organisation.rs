//! The organisation's policy file.

use jiff::SignedDuration;

use super::world::{CONTENTS, Setup, World, commit};

const OURS: &str = "phases: [{ name: plan, label: org/plan }]\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_stands_above_the_repositorys_own() {
    let world = World::with(Setup { organisation: Some(OURS), ..Setup::default() }).await;
    let issue = world.ada.open_issue("One", "", &[]).unwrap().made;
    world.minute().await;
    assert_eq!(world.labels(issue), ["org/plan"]);
    world.push("main", Some("phases: [{ name: plan, label: own/plan }]\n"));
    world.minute().await;
    assert_eq!(world.labels(issue), ["own/plan"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_push_there_reaches_the_other_repositories() {
    let world = World::with(Setup { organisation: Some(OURS), ..Setup::default() }).await;
    let issue = world.ada.open_issue("One", "", &[]).unwrap().made;
    world.minute().await;
    world.sim.clear_requests();
    let there = world.sim.person("ada", "acme/.github").unwrap();
    there.push("main", &[commit(Some("phases: [{ name: plan, label: org/two }]\n"))]).unwrap();
    world.minute().await;
    assert_eq!(world.labels(issue), ["org/two"], "with no event of its own");
    assert_eq!(world.asked("GET", CONTENTS).len(), 1, "read once, for all");

    // An invalid file there is reported there, and changes nothing here.
    there.push("main", &[commit(Some("mood: act\n"))]).unwrap();
    world.minute().await;
    assert_eq!(world.labels(issue), ["org/two"]);
    let opened = world.asked("POST", super::world::ISSUES);
    assert_eq!(opened.len(), 1);
    assert!(
        opened[0].params.iter().any(|(name, value)| name == "repo" && value == ".github"),
        "{:?}",
        opened[0].params
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_nobody_tells_it_is_looked_at_again_each_hour() {
    let world = World::new().await;
    let issue = world.ada.open_issue("One", "", &[]).unwrap().made;
    world.minute().await;
    let calls = world.calls(&[CONTENTS]);
    world.run(SignedDuration::from_mins(50)).await;
    world.ada.comment(issue, "a").unwrap();
    world.minute().await;
    assert_eq!(world.calls(&[CONTENTS]), calls);
    world.run(SignedDuration::from_mins(10)).await;
    world.ada.comment(issue, "b").unwrap();
    world.ada.comment(issue, "c").unwrap();
    world.minute().await;
    assert_eq!(world.calls(&[CONTENTS]), calls + 1);
}
