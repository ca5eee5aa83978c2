//! Contents of a deploy, over HTTP: `/diff`, the check run, the dry run, `/where` and `/locks`.

use jiff::SignedDuration;
use phasebot_forge_sim::{MergeMethod, Worker};

use super::stage::Stage;
use crate::flow::REPO;

const FILE: &str = ".github/workflows/deploy.yml";
const POLICY: &str = "version: 1
mode: act
environments:
  production: { production: true, deploy: { via: deployment }, require: [approval] }
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_listed_is_what_the_deploy_then_carries() {
    let stage = Stage::new(POLICY, &[], &[Worker::new(FILE, "deployment")]).await;
    stage.say("bob", "/diff production").await;
    let first = stage.answer();
    assert!(first.contains(&format!("Nothing came before [`{}`]", &stage.merged[..7])), "{first}");
    stage.say("bob", "/deploy production").await;
    stage.say("dan", "/approve deploy production").await;
    stage.work().await;
    assert_eq!(stage.ours().len(), 1, "{:#?}", stage.words());

    let other = stage.bob.open_issue("The total is wrong", "", &[]).unwrap().made;
    let pull = stage.world.open_pull("fix/total", &format!("Closes #{other}"));
    stage.world.minute().await;
    let merged = stage.bob.merge_pull(pull, MergeMethod::Squash).unwrap().made;
    stage.world.minute().await;
    stage.say("bob", "/diff production").await;
    let diff = stage.answer();
    assert!(diff.contains("1 pull request.") && diff.contains(&format!("- #{pull} ")), "{diff}");
    assert!(diff.contains(&format!("for #{other}")), "{diff}");
    let page = format!("/{REPO}/compare/{}...{}", &stage.merged[..7], &merged[..7]);
    assert!(diff.contains(&page), "{diff}");

    stage.say("bob", "/deploy production dry-run").await;
    assert!(stage.answer().contains(&format!("- #{pull} ")), "{}", stage.answer());
    stage.say("bob", "/deploy production").await;
    let checks = stage.world.forge.check_runs(REPO, &merged);
    let mut summaries = checks.iter().map(|check| check["output"]["summary"].as_str().unwrap_or_default());
    assert!(summaries.any(|text| text.contains("What it carries")), "{checks:#?}");
    stage.say("bob", "/where production").await;
    let waits = stage.answer();
    assert!(waits.contains(&format!("runs [`{}`]", &stage.merged[..7])) && waits.contains("waits: "), "{waits}");
    stage.say("dan", "/approve deploy production").await;
    stage.work().await;
    let last = stage.ours().pop().unwrap();
    assert_eq!(last, ("production".to_owned(), merged.clone(), "success".to_owned()));
    stage.world.run(SignedDuration::from_mins(1)).await;
    assert_eq!(stage.world.label(other).as_deref(), Some("phase/operate"));
    stage.say("bob", "/diff production").await;
    assert!(stage.answer().contains("is what runs already"), "{}", stage.answer());

    stage.say("bob", "/lock production for=1h a look").await;
    stage.say("bob", "/locks").await;
    assert!(stage.answer().contains("`production` is locked"), "{}", stage.answer());
    stage.world.check().await;
}
