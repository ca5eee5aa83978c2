//! Tokens and secrets.

use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
};

use futures_util::future::join_all;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Validation, jwk::Jwk};
use phasebot::{
    domain::{
        effect::{Effect, Reaction},
        fact::command::Source,
        id::ForgeName,
        needs::Need,
    },
    forge::github::{GitHub, GitHubConfig, SetupError},
    port::forge::{ApplyContext, Forge, ForgeError, Target},
};
use serde_json::{Value, json};

use super::server::{APP, KEY, answer, clock, target, world};

const READ: &str = "GET /repos/acme/shop/collaborators/alice/permission";
const MINT: &str = "POST /app/installations/5/access_tokens";

fn need() -> Need {
    Need::Writer { id: Some(phasebot::domain::id::AccountId(7)), login: "alice".to_owned() }
}

fn allowed() -> Value {
    json!({ "permission": "write", "user": { "id": 7 } })
}

#[tokio::test]
async fn fifty_who_ask_at_once_share_one_token() {
    let world = world().await;
    world.server.on(READ, answer(200, allowed()));
    let (target, need) = (target(), need());
    let said = join_all((0..50).map(|_| world.github.answer(&target, &need))).await;
    assert!(said.iter().all(Result::is_ok));
    assert_eq!(world.server.mints().len(), 1);
    assert_eq!(world.server.lines().len(), 50);

    let other = Target { installation: 6, ..target };
    world.github.answer(&other, &need).await.unwrap();
    assert_eq!(world.server.mints().len(), 2, "each installation has its own");
    assert_eq!(world.server.bearers()[49..], ["ghs_verysecret1", "ghs_verysecret2"]);
}

#[tokio::test]
async fn the_app_signs_by_the_clock() {
    let world = world().await;
    world.clock.forward(3600);
    world.server.on(READ, answer(200, allowed()));
    world.github.answer(&target(), &need()).await.unwrap();
    let mint = &world.server.mints()[0];
    assert_eq!(mint.line, MINT);
    assert_eq!(mint.headers["x-github-api-version"], "2022-11-28");
    assert_eq!(mint.headers["accept"], "application/vnd.github+json");
    let agents: Vec<_> = mint.headers.get_all("user-agent").iter().collect();
    assert_eq!(agents, [concat!("phasebot/", env!("CARGO_PKG_VERSION"))]);

    let jwt = mint.headers["authorization"].to_str().unwrap().strip_prefix("Bearer ").unwrap();
    let key = EncodingKey::from_rsa_pem(KEY.as_bytes()).unwrap();
    let public = DecodingKey::from_jwk(&Jwk::from_encoding_key(&key, Algorithm::RS256).unwrap()).unwrap();
    let mut validation = Validation::new(Algorithm::RS256);
    validation.validate_exp = false;
    let claims = jsonwebtoken::decode::<Value>(jwt, &public, &validation).unwrap().claims;
    let now = "2026-11-22T13:00:00Z".parse::<jiff::Timestamp>().unwrap().as_second();
    assert_eq!(claims, json!({ "iss": APP, "iat": now - 60, "exp": now + 540 }));
}

#[tokio::test]
async fn a_token_is_renewed_five_minutes_before_its_end() {
    let world = world().await;
    world.server.on(READ, answer(200, allowed()));
    for (forward, mints) in [(0, 1), (55 * 60 - 1, 1), (1, 2)] {
        world.clock.forward(forward);
        world.github.answer(&target(), &need()).await.unwrap();
        assert_eq!(world.server.mints().len(), mints);
    }
}

#[tokio::test]
async fn a_401_means_one_new_token_and_one_more_try() {
    let unauthorized = || answer(401, json!({ "message": "Bad credentials" }));
    let comment = Effect::React { item: 12, source: Source::Comment(1), node: None, reaction: Reaction::Taken };
    let line = "POST /repos/acme/shop/issues/comments/1/reactions";
    let world1 = world().await;
    world1.server.on(line, unauthorized()).on(line, answer(201, json!({})));
    world1.github.apply(&target(), &comment, &ApplyContext::default()).await.unwrap();
    assert_eq!(world1.server.bearers(), ["ghs_verysecret1", "ghs_verysecret2"]);

    let world2 = world().await;
    world2.server.on(line, unauthorized());
    let error = world2.github.apply(&target(), &comment, &ApplyContext::default()).await.unwrap_err();
    assert!(matches!(error, ForgeError::Transient(_)), "{error}");
    assert_eq!(world2.server.lines().len(), 2, "and no more");

    let world3 = world().await;
    world3.server.on("GET /app", unauthorized());
    assert!(matches!(world3.github.identity().await, Err(ForgeError::Transient(_))));
    assert_eq!(world3.server.lines().len(), 1, "the App's own signature is no better the second time");
}

#[tokio::test]
async fn a_refused_token_is_told_in_clear_words_and_not_asked_for_at_once_again() {
    for (status, expected) in [
        (404, "installation 5: the App is no longer installed there, or never was"),
        (403, "installation 5: GitHub gives no token, the App is suspended there (no)"),
        (
            401,
            "not done: GitHub does not accept the App's own signature: check app_id, the private key \
             and this machine's clock (no)",
        ),
        (502, "not done: no (502, POST /app/installations/{installation_id}/access_tokens)"),
    ] {
        let world = world().await;
        world.server.on(MINT, answer(status, json!({ "message": "no" })));
        let effect = Effect::React { item: 12, source: Source::Comment(1), node: None, reaction: Reaction::Taken };
        for _ in 0..3 {
            let error = world.github.apply(&target(), &effect, &ApplyContext::default()).await.unwrap_err();
            assert_eq!(error.to_string(), expected);
        }
        assert_eq!(world.server.mints().len(), 1);
        assert!(world.server.lines().is_empty());
        world.clock.forward(5);
        world.github.apply(&target(), &effect, &ApplyContext::default()).await.unwrap_err();
        assert_eq!(world.server.mints().len(), 2, "after a short while it is");
    }
}

#[tokio::test]
async fn a_limit_on_tokens_is_kept_to() {
    let world = world().await;
    world.server.on(MINT, answer(403, json!({ "message": "no" })).with("retry-after", "30"));
    let until = "2026-11-22T12:00:30Z".parse().unwrap();
    for forward in [0, 29] {
        world.clock.forward(forward);
        assert_eq!(world.github.answer(&target(), &need()).await, Err(ForgeError::RateLimited { until }));
        assert_eq!(world.server.mints().len(), 1);
    }
    world.clock.forward(1);
    world.github.answer(&target(), &need()).await.unwrap_err();
    assert_eq!(world.server.mints().len(), 2);
}

#[tokio::test]
async fn an_answer_that_is_no_token_is_not_quoted() {
    let world = world().await;
    world.server.on(MINT, answer(201, json!({ "token": "ghs_verysecret", "expires_at": "ghs_verysecret" })));
    let error = world.github.answer(&target(), &need()).await.unwrap_err();
    assert!(matches!(error, ForgeError::Transient(_)), "{error}");
    assert!(!error.to_string().contains("secret"), "{error}");
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn no_secret_or_body_is_ever_logged() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .with_span_events(tracing_subscriber::fmt::format::FmtSpan::FULL)
        .finish();
    // With only one subscriber in the process, tracing lets each thread decide for all whether a
    // span is enabled, and other tests' threads disable it.
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());
    let _guard = tracing::subscriber::set_default(subscriber);

    let world = world().await;
    let line = "POST /repos/acme/shop/issues/12/comments";
    world.server.on(line, answer(500, json!({ "message": "a private answer" })));
    let effect =
        Effect::UpsertComment { item: 12, marker: "m".to_owned(), body: "a private comment".to_owned(), sticky: false };
    world.github.apply(&target(), &effect, &ApplyContext::default()).await.unwrap_err();

    let jwt = world.server.mints()[0].headers["authorization"].to_str().unwrap().to_owned();
    let text = String::from_utf8_lossy(&log.0.lock().unwrap()).into_owned();
    assert!(text.contains("forge_call") && text.contains("status=\"500\""), "the test must see our spans: {text}");
    for secret in ["ghs_", &jwt[7..40], "private comment", "private answer", "BEGIN RSA"] {
        assert!(!text.contains(secret), "{secret:?} is in the log");
    }
    assert!(!format!("{:?}", world.github).contains("secret"));
}

#[test]
fn a_wrong_setup_names_what_is_wrong() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _inside = runtime.enter();
    let setup = |key: &str, url: &str| {
        GitHub::new(GitHubConfig {
            name: ForgeName::github(),
            app_id: APP,
            private_key: key.into(),
            webhook_secrets: Vec::new(),
            api_url: url.to_owned(),
            rate_limits: true,
            clock: clock(),
        })
        .map(|_| ())
    };
    assert_eq!(setup(KEY, "https://ghe.example/api/v3"), Ok(()));
    assert!(matches!(setup(KEY, "ghe.example"), Err(SetupError::ApiUrl(_))));
    let error = setup("not a key: hunter2", "https://api.github.com").unwrap_err();
    assert!(matches!(error, SetupError::PrivateKey(_)));
    assert!(!error.to_string().contains("hunter2"));
}
