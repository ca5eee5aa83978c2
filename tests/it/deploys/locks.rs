//! A lock that was set from one item, and deployments from another.

use phasebot_forge_sim::Worker;

use super::stage::Stage;
use crate::flow::{BOT, REPO};

const POLICY: &str = "mode: act
environments: { staging: { deploy: { via: deployment }, unmerged: true } }
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_owner_of_a_lock_says_replace_from_another_item() {
    let stage = Stage::new(POLICY, &[], &[Worker::new(".github/workflows/deploy.yml", "deployment")]).await;
    let (world, bob) = (&stage.world, &stage.bob);
    let tried = world.open_pull("try/this", "");
    let other = world.open_pull("try/that", "");
    world.minute().await;
    bob.comment(tried, "/lock staging the load test runs\n/deploy staging").unwrap();
    world.minute().await;
    stage.work().await;
    assert_eq!(stage.ours().len(), 1);

    let refused = bob.comment(other, "/deploy staging").unwrap().made;
    world.minute().await;
    stage.work().await;
    assert_eq!(stage.ours().len(), 1, "nothing is replaced without a word");
    assert_eq!(stage.reactions(refused), ["-1", "eyes"]);
    let comments = world.forge.comments(REPO, other).into_iter();
    let answer = comments.filter(|(by, _)| by == BOT).map(|(_, text)| text).find(|text| text.contains("👎"));
    let answer = answer.expect("an answer");
    for words in [
        format!("**`staging` is locked by `bob` (#{tried}) since "),
        "\u{201c}the load test runs\u{201d}".to_owned(),
        "```text\n/deploy staging replace\n```".to_owned(),
    ] {
        assert!(answer.contains(&words), "{words}: {answer}");
    }

    let meant = bob.comment(other, "/deploy staging replace").unwrap().made;
    world.minute().await;
    stage.work().await;
    assert_eq!(stage.ours().len(), 2);
    assert_eq!(stage.reactions(meant), ["eyes", "rocket"]);
    world.check().await;
}
