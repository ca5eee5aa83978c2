//! Attempts to make phasebot send requests to other hosts, or pass undeclared inputs to a workflow.

use std::net::TcpListener;

use phasebot_forge_sim::Worker;

use crate::{
    deploys::stage::{Stage, WORKFLOW},
    flow::REPO,
    forge_understand::fixture,
};

const FILE: &str = ".github/workflows/deploy.yml";
const DISPATCH: &str = "version: 1
mode: act
environments:
  staging: { deploy: { via: workflow_dispatch, workflow: deploy.yml, inputs: { region: { enum: [eu, us] } } } }
";
const GATED: &str = "version: 1
mode: act
environments:
  staging: { require: [checks: { named: [unit tests] }] }
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_but_declared_values_reaches_a_workflow() {
    let worker = Worker { environment: Some("staging".to_owned()), ..Worker::new(FILE, "workflow_dispatch") };
    let stage = Stage::new(DISPATCH, &[(FILE, WORKFLOW)], &[worker]).await;
    for words in [
        "region=$(id)",
        "region=eu;id",
        "region=eu`id`",
        "region=${{secrets.TOKEN}}",
        "region=\"eu\\nid\"",
        "region=EU",
        "region=",
        "region=eu region=us;id",
        "phasebot_sha=0000000000000000000000000000000000000000",
        "phasebot_request=1",
        "phasebot_environment=production",
        "other=1",
        "ref=--upload-pack=id",
        "ref=main..evil",
        "ref=../../../rival/app",
        "ref=refs/pull/1/merge;id",
    ] {
        stage.say("bob", &format!("/deploy staging {words}")).await;
        let started = stage.world.forge.dispatched(REPO);
        assert!(started.is_empty(), "{words}: {:?}", started[0].inputs);
    }
    // Declared inputs still work.
    stage.say("bob", "/deploy staging region=us").await;
    let started = stage.world.forge.dispatched(REPO);
    assert_eq!(started.len(), 1, "{:#?}", stage.words());
    assert_eq!(started[0].inputs["region"], "us");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_callback_to_another_host_is_never_asked() {
    let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
    elsewhere.set_nonblocking(true).unwrap();
    let stage = Stage::new(GATED, &[], &[]).await;
    stage.bob.open_issue("Any", "", &[]).unwrap();
    let mut delivery = stage.world.forge.take_pending().remove(0);
    let (_, mut payload) = fixture::all().into_iter().find(|(event, _)| event == "deployment_protection_rule").unwrap();
    for name in ["repository", "installation", "sender"] {
        payload[name] = delivery.payload[name].take();
    }
    let address = elsewhere.local_addr().unwrap();
    payload["environment"] = "staging".into();
    payload["deployment"]["environment"] = "staging".into();
    payload["deployment"]["sha"] = stage.merged.as_str().into();
    payload["deployment"]["created_at"] = "2026-03-02T09:00:00Z".into();
    payload["deployment"]["updated_at"] = "2026-03-02T09:00:00Z".into();
    payload["deployment_callback_url"] =
        format!("http://{address}/repos/{REPO}/actions/runs/77/deployment_protection_rule").into();
    delivery.payload = payload;
    "deployment_protection_rule".clone_into(&mut delivery.event);
    delivery.action = Some("requested".to_owned());
    assert_eq!(stage.world.forge.send(&delivery).await, 202);
    stage.world.minute().await;
    stage.world.pass_checks(&stage.merged);
    stage.pass(3).await;
    // The answer went to the forge's address in our own settings.
    let paths: Vec<String> = stage.world.writes().iter().map(|exchange| exchange.path.clone()).collect();
    let ours = format!("/repos/{REPO}/actions/runs/77/deployment_protection_rule");
    assert!(paths.contains(&ours), "{paths:#?}");
    assert!(elsewhere.accept().is_err(), "somebody called at the address in the payload");
}
