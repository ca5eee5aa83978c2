//! Automatic rollback over HTTP: from a signed alert to the run that goes back, and its outcome on
//! the incident's issue.

use phasebot::port::clock::Clock as _;
use phasebot_forge_sim::{MergeMethod, Worker};
use serde_json::json;

use super::stage::{Stage, WORKFLOW};
use crate::{alert::sent::hmac, flow::REPO};

const FILE: &str = ".github/workflows/deploy.yml";
const POLICY: &str = "mode: act
environments:
  production:
    production: true
    deploy: { via: workflow_dispatch, workflow: deploy.yml }
    rollback: { on: incident, within: 30m, severities: [critical] }
";
const ALERTS: &str = r#"
[alerts.prod]
kind = "generic"
secrets = ["s3cret"]
signature_header = "X-Signature"
repositories = ["acme/shop"]
"#;

impl Stage {
    /// Sends a signed alert about production.
    async fn alert(&self, state: &str) {
        let at = self.world.clock.now().to_string();
        let labels = json!({ "env": "production", "severity": "critical" });
        let body = json!({ "id": "cart", "state": state, "title": "Cart is down", "at": at, "labels": labels });
        let body = body.to_string();
        let signature = hmac("s3cret", &[body.as_bytes()]);
        let to = format!("http://{}/alerts/prod", self.world.address);
        let request = reqwest::Client::new().post(to).header("X-Signature", signature).body(body);
        assert_eq!(request.send().await.unwrap().status().as_u16(), 202);
        self.world.minute().await;
    }
}

/// Returns a stage where a version was deployed after another, with the pull request that the newer
/// one brought, and its commit.
async fn two_deployed() -> (Stage, u64, String) {
    let worker = Worker { environment: Some("production".to_owned()), ..Worker::new(FILE, "workflow_dispatch") };
    let stage = Stage::with_alerts(POLICY, ALERTS, &[(FILE, WORKFLOW)], &[worker]).await;
    stage.say("bob", "/deploy production").await;
    stage.work().await;
    let pull = stage.world.open_pull("break-it", "");
    stage.world.minute().await;
    let bad = stage.bob.merge_pull(pull, MergeMethod::Squash).unwrap().made;
    stage.pass(60).await;
    stage.say("bob", "/deploy production").await;
    stage.work().await;
    assert_eq!(stage.dispatched().last(), Some(&bad));
    (stage, pull, bad)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_incident_rolls_its_only_suspect_back_and_says_how_it_ended() {
    let (stage, pull, bad) = two_deployed().await;
    let before = stage.dispatched();
    stage.alert("firing").await;
    let issue = pull + 1;
    assert!(stage.world.forge.text(REPO, issue).0.contains("Cart is down"));
    stage.work().await;
    let ran = stage.dispatched();
    assert_eq!(ran.len(), before.len() + 1, "one rollback");
    assert_eq!(ran.last(), before.first());
    assert_ne!(ran.last(), Some(&bad));
    let words = stage.world.comments_of_ours(issue);
    assert!(words[0].contains("is the only suspect of this incident.** Nothing to do: phasebot reports"), "{words:#?}");
    assert!(words[1].contains("**`production` is back on "), "{words:#?}");
    assert!(words[1].contains("The lock keeps everything from redeploying it"), "{words:#?}");
    // The alert goes on for a while: nothing is rolled back twice.
    stage.alert("firing").await;
    stage.pass(20).await;
    stage.work().await;
    assert_eq!(stage.dispatched(), ran);
    stage.world.check().await;
}
