//! Life cycle of a gate's check run over real HTTP: re-requested, renewed before it becomes stale,
//! shown in three places; and conditions whose evidence must be queried.

use std::{
    io::Write,
    process::{Command, Stdio},
};

use jiff::{SignedDuration, Timestamp};
use phasebot::port::clock::Clock;
use phasebot_forge_sim::{FaultKind, MergeMethod, NewRelease};
use serde_json::Value;

use crate::flow::{BOT, REPO, Setup, World};

const CHECKS: &str = "/repos/{owner}/{repo}/check-runs";

/// Returns our newest run on a commit, as the forge shows it.
fn run(world: &World, sha: &str) -> Value {
    let mut runs = world.forge.check_runs(REPO, sha);
    runs.retain(|run| run["name"] == "phasebot/release");
    runs.pop().expect("a check run")
}

fn title(world: &World, sha: &str) -> String {
    super::state(run(world, sha)["output"]["title"].as_str().unwrap())
}

fn draft(sha: &str) -> NewRelease {
    NewRelease { tag: "v1.0.0".into(), target: sha.to_owned(), draft: true, ..NewRelease::default() }
}

async fn world(policy: &'static str) -> (World, String) {
    let world = World::with(Setup { policy, ..Setup::default() }).await;
    world.forge.set_role(REPO, "carol", "write").unwrap();
    let sha = world.person("bob").push("main", &["Work".into()]).unwrap().made.pop().unwrap();
    world.minute().await;
    (world, sha)
}

const FROZEN: &str = "mode: act
gates: { release: { on: { draft: true, tag: 'v*' }, require: [alerts, checks: { named: [e2e], report_within: 900h }] } }
freezes: [{ environment: all, from: 2020-01-01, until: 2099-01-01, reason: for ever }]
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_asks_again_gets_an_answer() {
    let (world, sha) = world(FROZEN).await;
    let bob = world.person("bob");
    bob.release(&draft(&sha)).unwrap();
    world.minute().await;
    let before = run(&world, &sha);
    world.forge.clear_requests();
    bob.rerequest_check(before["id"].as_u64().unwrap()).unwrap();
    world.minute().await;
    let written = world.writes().iter().filter(|call| call.route.starts_with(CHECKS)).count();
    assert_eq!(written, 1, "{:?}", world.calls());
    assert_eq!(run(&world, &sha)["output"]["title"], before["output"]["title"]);
    world.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_asks_for_all_checks_again_gets_an_answer() {
    let (world, sha) = world(FROZEN).await;
    let bob = world.person("bob");
    bob.release(&draft(&sha)).unwrap();
    world.person("ci").start_check(&sha, "lint").unwrap();
    world.minute().await;
    let before = run(&world, &sha);
    let app = before["app"]["slug"].as_str().unwrap();
    let written = || world.writes().iter().filter(|call| call.route.starts_with(CHECKS)).count();
    world.forge.clear_requests();
    bob.rerequest_all_checks("ci", &sha).unwrap();
    world.minute().await;
    assert_eq!(written(), 0, "the checks of another App are not ours to run");
    bob.rerequest_all_checks(app, &sha).unwrap();
    world.minute().await;
    assert_eq!(written(), 1, "{:?}", world.calls());
    assert_eq!(run(&world, &sha)["output"]["title"], before["output"]["title"]);
    world.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_goes_on_is_renewed_before_it_is_stale() {
    let (world, sha) = world(FROZEN).await;
    world.person("bob").release(&draft(&sha)).unwrap();
    world.minute().await;
    let day = SignedDuration::from_hours(24);
    let ci = world.person("ci");
    for n in 0..28 {
        // The content changes shortly before the run would be renewed.
        if n == 11 {
            ci.start_check(&sha, "e2e").unwrap();
        }
        world.run(day).await;
        let shown = run(&world, &sha);
        assert_eq!(shown["status"], "in_progress");
        let began: Timestamp = shown["started_at"].as_str().unwrap().parse().unwrap();
        let age = world.clock.now().duration_since(began);
        assert!(age < day * 14, "on day {n} the run is {age:#} old");
    }
    world.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn check_run_comment_and_explain_show_one_record() {
    let (world, sha) = world(FROZEN).await;
    let bob = world.person("bob");
    bob.tag("v1.0.0", &sha).unwrap();
    let pushed = world.settle().await.into_iter().map(|(delivery, _)| delivery).find(|d| d.event == "push").unwrap();
    let issue = bob.open_issue("Why not?", "", &[]).unwrap().made;
    bob.comment(issue, "/why release").unwrap();
    world.minute().await;
    let check = run(&world, &sha)["output"]["summary"].as_str().unwrap().to_owned();
    let comments = world.forge.comments(REPO, issue);
    let comment = comments.into_iter().find(|(by, text)| by == BOT && text.contains("| Condition |")).unwrap().1;
    let rows = |text: &str| -> Vec<String> {
        text.lines().filter(|line| line.starts_with("| ") && line.contains("**")).map(str::to_owned).collect()
    };
    assert_eq!(rows(&check).len(), 5, "{check}");
    assert_eq!(rows(&comment), rows(&check), "{comment}");

    let folder = tempfile::tempdir().unwrap();
    let policy = folder.path().join("phasebot.yml");
    std::fs::write(&policy, FROZEN).unwrap();
    let mut explain = Command::new(env!("CARGO_BIN_EXE_phasebot"))
        .args(["explain", "--event", "push", "-", "--policy"])
        .arg(&policy)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    explain.stdin.take().unwrap().write_all(&pushed.body()).unwrap();
    let said = String::from_utf8(explain.wait_with_output().unwrap().stdout).unwrap();
    let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
    // The consequences of this one event have the same text.
    for (name, sentence) in [("alerts", "no incident is open"), ("freeze", "the policy freezes it until")] {
        assert!(check.contains(&format!("**{name}** |")) && check.to_lowercase().contains(sentence), "{check}");
        assert!(said.contains(name) && said.contains(sentence), "{said}");
    }
    world.check().await;
}

const REVIEWS: &str = "mode: act
gates: { release: { on: { draft: true }, require: [reviews: { count: 1 }] } }
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reviews_are_asked_of_the_forge() {
    let (world, _) = world(REVIEWS).await;
    let bob = world.person("bob");
    // The reviews happened before the App knew of any gate, so no event reported them.
    let pull = world.open_pull("topic", "");
    world.minute().await;
    bob.colleague("carol").approve(pull).unwrap();
    world.forge.take_pending();
    let approved = bob.merge_pull(pull, MergeMethod::Squash).unwrap().made;
    world.minute().await;
    bob.release(&draft(&approved)).unwrap();
    world.run(SignedDuration::from_mins(3)).await;
    assert_eq!(title(&world, &approved), "Passed");

    let pull = world.open_pull("other", "");
    world.minute().await;
    bob.colleague("carol").review(pull, "changes_requested", "No").unwrap();
    let refused = bob.merge_pull(pull, MergeMethod::Squash).unwrap().made;
    world.minute().await;
    bob.release(&NewRelease { tag: "v1.1.0".into(), ..draft(&refused) }).unwrap();
    world.run(SignedDuration::from_mins(3)).await;
    assert!(title(&world, &refused).starts_with("Blocked: 1 of 4"), "{}", title(&world, &refused));
    world.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_review_does_not_count_where_github_does_not_say_who_may_write() {
    const PERMISSION: &str = "/repos/{owner}/{repo}/collaborators/{username}/permission";
    let (world, _) = world(REVIEWS).await;
    world.forge.weather(Box::new(|_, route| (route == PERMISSION).then_some(FaultKind::Forbidden403)));
    let bob = world.person("bob");
    let pull = world.open_pull("topic", "");
    world.minute().await;
    bob.colleague("carol").approve(pull).unwrap();
    let merged = bob.merge_pull(pull, MergeMethod::Squash).unwrap().made;
    world.minute().await;
    bob.release(&draft(&merged)).unwrap();
    world.run(SignedDuration::from_mins(3)).await;
    let shown = run(&world, &merged);
    assert_eq!(shown["conclusion"], "failure");
    let words = "GitHub does not say whether carol may write: grant what phasebot doctor names";
    assert!(title(&world, &merged).contains(words), "{}", title(&world, &merged));
    let summary = shown["output"]["summary"].as_str().unwrap();
    assert!(summary.contains("whether"), "{summary}");
    // After the forge answers, the same review counts.
    world.forge.clear_faults();
    world.run(SignedDuration::from_mins(15)).await;
    assert_eq!(title(&world, &merged), "Passed");
    world.check().await;
}

const SIGNED: &str = "mode: act
gates: { release: { on: { tag: 'v*' }, require: [tag: { signed: true }] } }
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tags_signature_is_asked_of_the_forge() {
    let (world, first) = world(SIGNED).await;
    let bob = world.person("bob");
    let mut at = vec![first];
    for message in ["More", "Still more"] {
        at.extend(bob.push("main", &[message.into()]).unwrap().made);
    }
    bob.tag("v1.0.0", &at[0]).unwrap();
    bob.annotated_tag("v1.1.0", &at[1], false).unwrap();
    bob.annotated_tag("v1.2.0", &at[2], true).unwrap();
    world.run(SignedDuration::from_mins(3)).await;
    for (sha, why) in [(&at[0], "not an annotated tag"), (&at[1], "unsigned")] {
        assert!(title(&world, sha).contains(why), "{}", title(&world, sha));
        assert_eq!(run(&world, sha)["conclusion"], "failure");
    }
    assert_eq!(title(&world, &at[2]), "Passed");
    world.check().await;
}

const PLAIN: &str = "mode: act
gates: { release: { on: { tag: 'v*' }, require: [checks] } }
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_classic_protection_requires_counts() {
    let (world, sha) = world(PLAIN).await;
    let bob = world.person("bob");
    world.forge.protect_branch(REPO, "main", &[("e2e", None)]).unwrap();
    world.pass_checks(&sha);
    bob.tag("v1.0.0", &sha).unwrap();
    world.run(SignedDuration::from_mins(3)).await;
    assert_eq!(title(&world, &sha), "Blocked: 1 of 4 — no report yet: e2e");
    let ci = world.person("ci");
    let check = ci.start_check(&sha, "e2e").unwrap().made;
    ci.complete_check(check, "success").unwrap();
    world.minute().await;
    assert_eq!(title(&world, &sha), "Passed");
    world.check().await;
}
