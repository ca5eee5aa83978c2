//! Targets that the operator did not define, or not for this repository.

use phasebot::{policy, port::store::DeliveryFilter};
use phasebot_forge_sim::{NewCommit, NewPull};

use super::{POLICY, Stage, webhook};
use crate::flow::REPO;

/// Returns the notes of all deliveries.
async fn notes(stage: &Stage) -> String {
    let filter = DeliveryFilter { limit: 1000, ..DeliveryFilter::default() };
    let rows = stage.world.store.deliveries(&filter).await.unwrap();
    rows.into_iter().map(|row| row.note + "\n").collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_is_not_defined_gets_nothing_and_is_told_of() {
    let stage = Stage::new(webhook, "notices: [{ to: elsewhere }]\n").await;
    stage.fail("production").await;
    assert_eq!(stage.receiver.lines(), Vec::<String>::new());
    let said = notes(&stage).await;
    assert!(
        said.contains("no notice to `elsewhere`: the operator's settings have no target [notices.elsewhere]"),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_of_other_repositories_gets_nothing_and_is_told_of() {
    let of_others = |url: &str| webhook(url).replace("acme/shop", "acme/other");
    let stage = Stage::new(of_others, POLICY).await;
    stage.fail("production").await;
    assert_eq!(stage.receiver.lines(), Vec::<String>::new());
    let said = notes(&stage).await;
    assert!(said.contains("[notices.ops] may not be used by this repository"), "{said}");
    // Nobody learns which ones may.
    assert!(!said.contains("acme/other"), "{said}");
    assert!(stage.stored().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_without_repositories_takes_public_ones_only() {
    let open = |url: &str| webhook(url).replace("repositories = [\"acme/shop\"]", "");
    let stage = Stage::new(open, POLICY).await;
    // The simulated forge's repositories are private.
    stage.fail("production").await;
    assert_eq!(stage.receiver.lines(), Vec::<String>::new());
    let said = notes(&stage).await;
    assert!(said.contains("[notices.ops] takes notices of public repositories only"), "{said}");
    stage.world.forge.set_private(REPO, false).unwrap();
    stage.fail("production").await;
    assert_eq!(stage.receiver.lines(), ["POST /hook"]);
    // It becomes private again before a queued one is sent.
    stage.world.bot.pause();
    stage.fail("production").await;
    stage.world.forge.set_private(REPO, true).unwrap();
    stage.world.person("bob").open_issue("Anything", "", &[]).unwrap();
    stage.world.minute().await;
    stage.world.bot.resume();
    stage.world.minute().await;
    assert_eq!(stage.receiver.lines(), ["POST /hook"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pull_request_with_such_a_policy_is_told_of_it() {
    let stage = Stage::new(webhook, POLICY).await;
    let bob = stage.world.person("bob");
    let text = "notices: [{ to: ops }, { to: elsewhere }]\n";
    let files = vec![(policy::PATH.to_owned(), Some(text.to_owned()))];
    bob.push("tidy", &[NewCommit { message: "Notices".to_owned(), files }]).unwrap();
    let new = NewPull { head: "tidy".to_owned(), title: "Notices".to_owned(), ..NewPull::default() };
    let pull = bob.open_pull(&new).unwrap().made;
    stage.world.minute().await;
    let said = stage.world.comments_of_ours(pull).join("\n");
    assert!(said.contains("no notice is sent to `elsewhere`"), "{said}");
    assert!(!said.contains("sent to `ops`"), "{said}");
}
