//! What strangers and other repositories may not do.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use axum::{Router, http::StatusCode, response::IntoResponse};
use jiff::SignedDuration;
use phasebot::{
    app::clock::SimClock,
    database::planetscale::{Config, PlanetScale},
    domain::needs::Need,
    port::{database::Database, forge::ForgeError},
};
use tokio::net::TcpListener;

use super::{SECRET, Stage};

const POLICY: &str = "
version: 1
mode: act
environments:
  production: { database: { connection: db, match: notes } }
gates:
  release: { on: { tag: \"v*\" }, require: [database: { environment: production, want: deployed }] }
";

/// A policy may name any connection; only the operator's settings say which repositories it is for.
const OF_ANOTHER: &str = "
version: 1
mode: act
environments:
  production: { database: { connection: other, match: any } }
gates:
  release: { on: { tag: \"v*\" }, require: [database: { environment: production, want: deployable }] }
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_the_operator_did_not_allow_is_not_asked() {
    let stage = Stage::new(OF_ANOTHER).await;
    let commit = stage.tag("v1.0.0").await;
    let (conclusion, title) = stage.gate("phasebot/release", &commit);
    assert_ne!(conclusion, "success", "{title}");
    assert!(title.contains("have no database"), "{title}");
    assert_eq!(stage.database.requests().len(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unsigned_state_and_hostile_names_open_nothing() {
    let stage = Stage::new(POLICY).await;
    let number = stage.database.open("x\u{202e}@everyone](https://evil.example) /deploy production", &[]);
    stage.database.change(number, |request| {
        request.notes = "for #1 <!-- phasebot:status --> @acme/sre\n/approve release".into();
        request.paused = Some("@everyone [click](https://evil.example)\n/override database".into());
        request.lint = vec!["`@everyone` <img src=x>".into()];
    });
    let commit = stage.tag("v1.0.0").await;
    stage.database.change(number, |request| request.notes = format!("{} {commit}", request.notes));
    stage.world.run(SignedDuration::from_mins(2)).await;
    let forged = stage.database.webhook("deploy_request.closed", number);
    assert_eq!(stage.send(&forged, "another secret").await, 401);
    let (conclusion, title) = stage.gate("phasebot/release", &commit);
    assert_ne!(conclusion, "success", "{title}");
    for run in stage.world.forge.check_runs("acme/shop", &commit) {
        // What stands in code has no effect.
        let text = run["output"]["summary"].as_str().unwrap_or_default().to_owned();
        let outside: String = text.split('`').step_by(2).collect();
        assert!(!text.contains('\u{202e}') && text.contains("https://evil.example"), "{text}");
        for hostile in ["evil.example", "@everyone", "<img", "<!--", "/approve"] {
            assert!(!outside.contains(hostile), "{hostile}: {text}");
        }
    }
    assert_eq!(stage.send(&forged, SECRET).await, 202);
}

/// Answers every request with `status`, the headers and the body; counts them.
async fn place(status: u16, location: &'static str, body: Vec<u8>) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let count = Arc::new(AtomicUsize::new(0));
    let counted = count.clone();
    let router = Router::new().fallback(move || {
        counted.fetch_add(1, Ordering::SeqCst);
        let body = body.clone();
        async move { (StatusCode::from_u16(status).unwrap(), [("location", location)], body).into_response() }
    });
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (format!("http://{address}"), count)
}

fn client(url: String) -> PlanetScale {
    let config = Config {
        api_url: url,
        organization: "../../evil?x".into(),
        database: "shop".into(),
        service_token_id: "id".into(),
        service_token: "token".into(),
        clock: Arc::new(SimClock::new("2026-03-02T09:00:00Z".parse().unwrap())),
    };
    PlanetScale::new("db", config).unwrap()
}

#[tokio::test]
async fn no_redirect_gets_the_token_and_no_answer_is_too_long() {
    let need = Need::SchemaChange { connection: "db".into(), number: 1 };
    let (evil, followed) = place(200, "", b"{}".to_vec()).await;
    let evil: &'static str = Box::leak(evil.into_boxed_str());
    let (url, asked) = place(302, evil, Vec::new()).await;
    assert!(matches!(client(url).answer(&need).await, Err(ForgeError::Permanent(_))));
    assert_eq!((asked.load(Ordering::SeqCst), followed.load(Ordering::SeqCst)), (1, 0));
    let (url, _) = place(200, "", vec![b' '; 17 * 1024 * 1024]).await;
    let error = client(url).answer(&need).await.unwrap_err();
    assert!(error.to_string().contains("longer than 16 MiB"), "{error}");
    let (url, _) = place(200, "", b"{\"number\": 1".to_vec()).await;
    assert!(matches!(client(url).answer(&need).await, Err(ForgeError::Permanent(_))));
}
