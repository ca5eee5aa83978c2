//! Messages that are refused, and those that nobody understands.

use phasebot::port::store::DeliveryState;

use super::sent::Stage;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_proof_no_deployment_is_reported() {
    let stage = Stage::new().await;
    let bearer = |token: &str| vec![("Authorization", format!("Bearer {token}"))];
    let body = stage.argo("Succeeded", &stage.merged).to_string();
    for (name, headers, status, code) in [
        ("argocd", vec![], 401, "missing_token"),
        ("argocd", bearer("wrong"), 401, "bad_token"),
        ("argocd", bearer("other"), 401, "bad_token"),
        ("tekton", bearer("s3cret"), 401, "missing_signature"),
        ("tekton", vec![("X-Signature", "00".repeat(32))], 401, "bad_signature"),
        ("nobody", bearer("s3cret"), 404, "no_such_connection"),
        // A monitoring connection reports no deployments.
        ("prod", bearer("other"), 404, "no_such_connection"),
    ] {
        let (answered, said) = stage.send_with(name, &headers, body.clone()).await;
        assert_eq!((answered, said["error"]["code"].as_str().unwrap_or_default()), (status, code), "{name}");
    }
    // Nor does an event connection open issues.
    let to = format!("http://{}/alerts/argocd", stage.world.address);
    let alert = reqwest::Client::new().post(to).bearer_auth("s3cret").body(body.clone()).send().await.unwrap();
    assert_eq!(alert.status().as_u16(), 404);
    assert_eq!(stage.inbox().await, []);
    // While a secret is replaced, both count.
    assert_eq!(stage.send_with("argocd", &bearer("next"), body).await.0, 202);
    stage.world.in_phase(stage.pull, "operate");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_that_nobody_understands_are_kept() {
    let stage = Stage::new().await;
    let headers = [("Authorization", "Bearer s3cret".to_owned())];
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    for (body, state) in [
        (b"not JSON".to_vec(), DeliveryState::Quarantined),
        (b"[1,2]".to_vec(), DeliveryState::Quarantined),
        (b"\xff\xfe{}".to_vec(), DeliveryState::Quarantined),
        (deep.into_bytes(), DeliveryState::Quarantined),
        (b"".to_vec(), DeliveryState::Quarantined),
        (b"{\"state\":{},\"at\":[],\"commit\":null}".to_vec(), DeliveryState::Ignored),
        (b"{\"context\":{\"type\":1}}".to_vec(), DeliveryState::Ignored),
    ] {
        for name in ["argocd", "jenkins"] {
            assert_eq!(stage.send_with(name, &headers, body.clone()).await.0, 202);
            let row = stage.inbox().await.remove(0);
            assert_eq!(row.state, state, "{}: {}", String::from_utf8_lossy(&body), row.note);
        }
    }
    stage.world.in_phase(stage.pull, "build");
}
