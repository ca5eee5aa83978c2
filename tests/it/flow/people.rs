//! People's labels take precedence; those of other bots do not.

use super::{BOT, World};

#[tokio::test]
async fn a_label_set_by_a_person_is_the_new_baseline() {
    let world = World::new().await;
    let bob = world.person("bob");
    let issue = bob.open_issue("Cart", "", &[]).unwrap().made;
    world.minute().await;
    bob.label(issue, "phase/test").unwrap();
    world.minute().await;
    world.in_phase(issue, "test");

    // Evidence for an earlier phase does not move it back.
    let pull = world.open_pull("cart", &format!("Fixes #{issue}"));
    world.minute().await;
    world.in_phase(issue, "test");
    world.in_phase(pull, "code");

    // Evidence for a later phase moves it on.
    bob.merge_pull(pull, phasebot_forge_sim::MergeMethod::Merge).unwrap();
    bob.tag("v1.0.0", "main").unwrap();
    world.minute().await;
    world.in_phase(issue, "release");
    world.check().await;
}

#[tokio::test]
async fn a_label_taken_off_by_a_person_stays_off() {
    let world = World::new().await;
    let bob = world.person("bob");
    let issue = bob.open_issue("Cart", "", &[]).unwrap().made;
    world.minute().await;
    bob.unlabel(issue, "phase/plan").unwrap();
    world.minute().await;
    world.in_phase(issue, "");
    world.forge.clear_requests();
    bob.create_branch(&format!("feature/{issue}-cart"), "main").unwrap();
    world.minute().await;
    world.in_phase(issue, "");
    assert!(world.writes().is_empty());
    let derived = world.derived(issue).await.unwrap();
    assert_eq!((derived.ours, derived.reason.code.as_str()), (false, "opted_out"));
}

#[tokio::test]
async fn another_bot_is_put_right_once_then_left() {
    let world = World::new().await;
    let (bob, robot) = (world.person("bob"), world.person("labeler[bot]"));
    let issue = bob.open_issue("Cart", "", &[]).unwrap().made;
    world.minute().await;

    robot.label(issue, "phase/deploy").unwrap();
    world.minute().await;
    world.in_phase(issue, "plan");
    let put_right = world.phase_changes(issue).pop().unwrap();
    assert_eq!((put_right.added, put_right.by.as_str()), (false, BOT));

    robot.unlabel(issue, "phase/plan").unwrap();
    robot.label(issue, "phase/deploy").unwrap();
    world.forge.clear_requests();
    world.minute().await;
    world.in_phase(issue, "deploy");
    assert!(world.writes().is_empty());
    assert_eq!(world.derived(issue).await.unwrap().reason.code, "contested");
    world.check().await;
}

#[tokio::test]
async fn other_labels_are_nobodys_business() {
    let world = World::new().await;
    let bob = world.person("bob");
    let issue = bob.open_issue("Cart", "", &["bug", "help wanted"]).unwrap().made;
    world.minute().await;
    bob.create_branch(&format!("feature/{issue}-cart"), "main").unwrap();
    world.minute().await;
    let labels: Vec<String> = world.forge.visible_labels(super::REPO, issue).into_iter().collect();
    assert_eq!(labels, ["bug", "help wanted", "phase/code"]);
}

#[tokio::test]
async fn an_app_that_is_renamed_knows_its_own_hand() {
    let world = World::new().await;
    let bob = world.person("bob");
    let issue = bob.open_issue("Cart", "", &[]).unwrap().made;
    world.minute().await;
    world.in_phase(issue, "plan");
    world.forge.rename_app("stagehand");
    let before = world.forge.requests().len();
    // Our own labels, reported under the new name, are not another bot's.
    let pull = world.open_pull("cart", &format!("Fixes #{issue}"));
    world.minute().await;
    world.in_phase(issue, "code");
    assert_eq!(world.phase_changes(issue).pop().unwrap().by, "stagehand[bot]");
    bob.merge_pull(pull, phasebot_forge_sim::MergeMethod::Merge).unwrap();
    world.minute().await;
    bob.tag("v1.0.0", "main").unwrap();
    world.minute().await;
    world.in_phase(issue, "release");
    assert_eq!(world.phases_shown(issue), ["plan", "code", "build", "release"]);
    assert!(world.derived(issue).await.unwrap().ours);
    let asked = world.forge.requests().iter().skip(before).filter(|e| e.path == "/app").count();
    assert_eq!(asked, 1, "once for the new name");
    world.check().await;
}
