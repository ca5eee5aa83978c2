//! Deploy requests that phasebot applies, over HTTP.

use jiff::SignedDuration;
use phasebot::{
    domain::{
        effect::{Effect, ForgeResult, SchemaAct},
        needs::{Answer, Need},
        schema::{SchemaContent, SchemaPin},
    },
    port::{
        database::Database,
        forge::{ApplyContext, ForgeError},
    },
};
use phasebot_forge_sim::{Fault, FaultKind, Matcher, Worker};

use super::{Stage, client::Place};

const POLICY: &str = "
version: 1
mode: act
environments:
  production:
    deploy: { via: deployment }
    database: { connection: db, match: any, apply: true }
";

fn posts(stage: &Stage) -> Vec<String> {
    let sent = stage.database.requests().into_iter().filter(|exchange| exchange.method == "POST");
    sent.map(|exchange| exchange.path.rsplit_once("/deploy-requests/").unwrap().1.to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deploy_applies_what_adds_before_the_code_and_what_drops_after_it() {
    let stage = Stage::new(POLICY).await;
    stage.database.open("add", &[("ALTER TABLE `orders` ADD COLUMN `note` text", false)]);
    stage.database.open("drop", &[("ALTER TABLE `orders` DROP COLUMN `old`", true)]);
    stage.database.change(1, |request| request.gated = true);
    let bob = stage.world.person("bob");
    bob.add_worker(&Worker::new(".github/workflows/deploy.yml", "deployment")).unwrap();
    let issue = bob.open_issue("Ship it", "", &[]).unwrap().made;
    bob.comment(issue, "/deploy production").unwrap();
    stage.world.minute().await;
    assert_eq!(posts(&stage), ["1/deploy"]);
    assert!(stage.world.forge.deployments("acme/shop").is_empty(), "GitHub is told nothing yet");
    // Nobody tells that it is staged, and then that it is applied.
    stage.database.set_state(1, "pending_cutover");
    stage.world.minute().await;
    assert_eq!(posts(&stage), ["1/deploy", "1/apply-deploy"]);
    stage.database.set_state(1, "complete_pending_revert");
    stage.world.minute().await;
    let deployments = stage.world.forge.deployments("acme/shop");
    assert_eq!(deployments.len(), 1);
    for _ in 0..3 {
        bob.work().unwrap();
        stage.world.minute().await;
    }
    assert_eq!(posts(&stage), ["1/deploy", "1/apply-deploy", "2/deploy"]);
    stage.database.set_state(2, "complete");
    stage.world.run(SignedDuration::from_mins(2)).await;
    let reactions = stage.world.forge.comments("acme/shop", issue);
    assert!(reactions.iter().any(|(_, text)| text.contains("runs in")), "{reactions:#?}");
    stage.check_requests();
}

/// Nothing is sent that was done already, whatever became of the answer.
#[tokio::test]
async fn an_act_whose_answer_was_lost_is_not_repeated() {
    for kind in [FaultKind::Status502AfterApply, FaultKind::ResetAfterApply] {
        let place = Place::new().await;
        place.database.open("add", &[("ALTER TABLE `orders` ADD COLUMN `note` text", false)]);
        let Answer::SchemaChange(change) =
            place.ask(Need::SchemaChange { connection: "db".into(), number: 1 }).await.unwrap()
        else {
            panic!("no schema change");
        };
        let pin = SchemaPin { connection: "db".into(), number: 1, content: change.content.clone() };
        let effect = Effect::ActOnSchema { request: "r".into(), pin: pin.clone(), act: SchemaAct::Deploy };
        let look = ApplyContext { look_only: true, ..ApplyContext::default() };
        let seen = place.client.apply(&effect, &look).await.unwrap();
        assert_eq!(seen.result, None, "it only looked");
        let route = "/organizations/{organization}/databases/{database}/deploy-requests/{number}/deploy";
        place.database.inject(Fault { matcher: Matcher::of("POST", route), kind }, 1);
        let lost = place.client.apply(&effect, &ApplyContext::default()).await;
        assert!(matches!(lost, Err(ForgeError::Doubt(_))), "{lost:?}");
        for context in [ApplyContext::default(), look.clone()] {
            let found = place.client.apply(&effect, &context).await.unwrap();
            assert!(matches!(found.result, Some(ForgeResult::SchemaActed(_))), "{found:?}");
        }
        assert_eq!(place.database.request(1).unwrap().deployed, 1);
        // Another content is another schema change.
        let other = SchemaPin { content: SchemaContent::default(), ..pin };
        let other = Effect::ActOnSchema { request: "r".into(), pin: other, act: SchemaAct::Deploy };
        let refused = place.client.apply(&other, &ApplyContext::default()).await.unwrap();
        assert!(matches!(refused.result, Some(ForgeResult::NotStarted(_))), "{refused:?}");
    }
}
