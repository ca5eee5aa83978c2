//! Commands while the forge does not report their sender's permissions.

use std::time::Duration;

use jiff::SignedDuration;
use phasebot_forge_sim::{Fault, FaultKind, Matcher};

use super::{REPO, World};

const PERMISSION: &str = "/repos/{owner}/{repo}/collaborators/{username}/permission";
const LABELS_OF_ITEM: &str = "/repos/{owner}/{repo}/issues/{issue_number}/labels";

/// From now on, `GET` of this route is answered with 502.
fn fails(world: &World, route: &str) {
    let matcher = Matcher::of("GET", route);
    world.forge.inject(Fault { matcher, kind: FaultKind::Status502Before }, 100_000);
}

async fn issue(world: &World) -> u64 {
    let issue = world.person("bob").open_issue("Cart", "", &[]).unwrap().made;
    world.minute().await;
    world.forge.clear_requests();
    issue
}

fn reactions(world: &World, comment: u64) -> Vec<String> {
    world.forge.reactions(REPO, comment).into_iter().collect()
}

#[tokio::test]
async fn a_command_outlives_a_rate_limit_of_a_second() {
    let world = World::new().await;
    let issue = issue(&world).await;
    let kind = FaultKind::RateLimit429 { retry_after: Duration::from_secs(1) };
    world.forge.inject(Fault { matcher: Matcher::of("GET", PERMISSION), kind }, 1);
    let comment = world.person("bob").comment(issue, "/phase test").unwrap().made;
    world.run(SignedDuration::from_secs(10)).await;
    assert_eq!(reactions(&world, comment), ["eyes", "rocket"]);
    world.in_phase(issue, "test");
    world.check().await;
}

#[tokio::test]
async fn a_command_waits_while_the_installation_is_parked() {
    let world = World::new().await;
    let first = issue(&world).await;
    let retry_after = Duration::from_mins(2);
    let limit = Fault { matcher: Matcher::of("POST", LABELS_OF_ITEM), kind: FaultKind::RateLimit429 { retry_after } };
    world.forge.inject(limit, 1);
    world.person("bob").open_issue("Till", "", &[]).unwrap();
    world.settle().await;
    world.forge.clear_requests();

    let phase = world.person("bob").comment(first, "/phase test").unwrap().made;
    let hold = world.person("bob").comment(first, "/hold waits for legal").unwrap().made;
    world.run(SignedDuration::from_secs(110)).await;
    assert_eq!(world.calls(), Vec::<String>::new(), "nothing is asked while the installation is parked");
    world.run(SignedDuration::from_secs(30)).await;
    assert_eq!(reactions(&world, phase), ["eyes", "rocket"]);
    assert_eq!(reactions(&world, hold), ["eyes", "rocket"]);
    let asked = world.calls().into_iter().filter(|call| call.contains("/permission")).count();
    assert_eq!(asked, 1, "one person is asked about once: {:?}", world.calls());
    world.check().await;
}

#[tokio::test]
async fn after_nine_minutes_without_an_answer_commands_run_in_their_order() {
    let world = World::new().await;
    world.forge.set_role(REPO, "carol", "triage").unwrap();
    let issue = issue(&world).await;
    fails(&world, PERMISSION);
    let bob = world.person("bob");
    let first = bob.comment(issue, "/phase build\n/phase test").unwrap().made;
    world.run(SignedDuration::from_secs(20)).await;
    assert_eq!(reactions(&world, first), ["eyes"], "taken in at once");
    let second = world.person("carol").comment(issue, "/phase operate").unwrap().made;
    let hold = bob.comment(issue, "/hold until we know more").unwrap().made;
    world.run(SignedDuration::from_mins(9)).await;
    for comment in [first, second, hold] {
        assert_eq!(reactions(&world, comment), ["eyes"], "neither done nor refused");
    }
    let asked = world.calls().into_iter().filter(|call| call.contains("/permission")).count();
    assert!(asked <= 100, "{asked} questions in nine minutes");
    world.forge.clear_faults();
    world.run(SignedDuration::from_secs(35)).await;
    for comment in [first, second, hold] {
        assert_eq!(reactions(&world, comment), ["eyes", "rocket"]);
    }
    world.in_phase(issue, "operate");
    assert_eq!(world.comments_of_ours(issue).len(), 1, "the status comment alone: {:?}", world.comments_of_ours(issue));
    world.check().await;
}

#[tokio::test]
async fn after_ten_minutes_without_an_answer_a_command_is_refused_with_the_reason() {
    let world = World::new().await;
    let issue = issue(&world).await;
    fails(&world, PERMISSION);
    let comment = world.person("bob").comment(issue, "/phase test").unwrap().made;
    world.run(SignedDuration::from_secs(570)).await;
    assert_eq!(reactions(&world, comment), ["eyes"]);
    world.run(SignedDuration::from_secs(90)).await;
    assert_eq!(reactions(&world, comment), ["-1", "eyes"]);
    let words = world.comments_of_ours(issue).pop().unwrap();
    assert!(words.contains("Server Error") && words.contains("phasebot tried for 10 minutes."), "{words}");
    world.forge.clear_faults();
    world.run(SignedDuration::from_mins(10)).await;
    world.in_phase(issue, "plan");
    world.check().await;
}

#[tokio::test]
async fn what_the_forge_refuses_to_tell_denies_at_once() {
    let world = World::new().await;
    let issue = issue(&world).await;
    world.forge.inject(Fault { matcher: Matcher::of("GET", PERMISSION), kind: FaultKind::TooLarge403 }, 1);
    let comment = world.person("bob").comment(issue, "/phase test").unwrap().made;
    world.run(SignedDuration::from_secs(10)).await;
    assert_eq!(reactions(&world, comment), ["-1"]);
    world.check().await;
}

/// A command refers to the head that was known when it was written, however long it waited.
#[tokio::test]
async fn a_push_meanwhile_is_not_what_was_meant() {
    let world = World::new().await;
    let pull = world.open_pull("cart", "");
    world.minute().await;
    fails(&world, PERMISSION);
    let comment = world.person("bob").comment(pull, "/retest").unwrap().made;
    world.run(SignedDuration::from_secs(30)).await;
    world.person("bob").push("cart", &["Another".into()]).unwrap();
    world.minute().await;
    world.forge.clear_faults();
    world.minute().await;
    assert_eq!(reactions(&world, comment), ["-1", "eyes"]);
    let words = world.comments_of_ours(pull).join("\n");
    assert!(words.contains("**The head moved from"), "{words}");
    world.check().await;
}
