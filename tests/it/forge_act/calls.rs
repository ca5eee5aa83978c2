//! Common behaviour of all calls: errors, pages, conditional requests, metrics.

use phasebot::{
    domain::{effect::Effect, needs::Need},
    port::forge::{ApplyContext, Forge, ForgeError},
};
use serde_json::{Value, json};

use super::server::{Answer, World, answer, target, world, world_at};

const READ: &str = "GET /repos/acme/shop/collaborators/alice/permission";
const WRITE: &str = "POST /repos/acme/shop/issues/12/comments";

fn need() -> Need {
    Need::Writer { id: Some(phasebot::domain::id::AccountId(7)), login: "alice".to_owned() }
}

fn comment() -> Effect {
    Effect::UpsertComment { item: 12, marker: "m".to_owned(), body: "b".to_owned(), sticky: false }
}

async fn read(world: &World) -> Result<(), ForgeError> {
    world.github.answer(&target(), &need()).await.map(|_| ())
}

async fn write(world: &World) -> Result<(), ForgeError> {
    world.github.apply(&target(), &comment(), &ApplyContext::default()).await.map(|_| ())
}

/// Returns the error of a write with this answer.
async fn written(answer: Answer) -> ForgeError {
    let world = world().await;
    world.server.on(WRITE, answer);
    let error = write(&world).await.unwrap_err();
    assert_eq!(world.server.lines().len(), 1, "sent once: {error}");
    error
}

fn says(message: &str) -> Value {
    json!({ "message": message, "documentation_url": "https://docs.github.com/rest" })
}

#[tokio::test]
async fn a_limit_says_until_when() {
    let reset = "2026-11-22T12:20:00Z".parse::<jiff::Timestamp>().unwrap();
    let drained = |status| {
        answer(status, says("API rate limit exceeded"))
            .with("x-ratelimit-remaining", "0")
            .with("x-ratelimit-reset", reset.as_second().to_string())
    };
    for (answer, until) in [
        (answer(429, Value::Null).with("retry-after", "7"), "2026-11-22T12:00:07Z"),
        (answer(403, says("x")).with("retry-after", "90"), "2026-11-22T12:01:30Z"),
        (drained(403).with("retry-after", "5"), "2026-11-22T12:00:05Z"),
        (drained(403), "2026-11-22T12:20:00Z"),
        (drained(429), "2026-11-22T12:20:00Z"),
        (answer(429, Value::Null), "2026-11-22T12:01:00Z"),
        (answer(403, says("You have exceeded a secondary rate limit.")), "2026-11-22T12:01:00Z"),
        (answer(403, says("You have triggered an abuse detection mechanism.")), "2026-11-22T12:01:00Z"),
        (answer(429, Value::Null).with("retry-after", "999999999"), "2026-11-22T14:00:00Z"),
        (answer(429, Value::Null).with("retry-after", "-5"), "2026-11-22T12:00:01Z"),
        (answer(429, Value::Null).with("retry-after", "soon"), "2026-11-22T12:01:00Z"),
        (answer(403, says("x")).with("x-ratelimit-remaining", "0"), "2026-11-22T12:01:00Z"),
    ] {
        assert_eq!(written(answer).await, ForgeError::RateLimited { until: until.parse().unwrap() });
    }
}

#[tokio::test]
async fn an_error_is_what_the_caller_does_about_it() {
    let route = "POST /repos/{owner}/{repo}/issues/{issue_number}/comments";
    for (status, expected) in [
        (400, ForgeError::Permanent(format!("words (400, {route})"))),
        (403, ForgeError::Permanent(format!("words (403, {route})"))),
        (404, ForgeError::NotFound(format!("words (404, {route})"))),
        (409, ForgeError::Transient(format!("words (409, {route})"))),
        (410, ForgeError::NotFound(format!("words (410, {route})"))),
        (422, ForgeError::Permanent(format!("words (422, {route})"))),
        (451, ForgeError::NotFound(format!("words (451, {route})"))),
        (500, ForgeError::Doubt(format!("words (500, {route})"))),
        (502, ForgeError::Doubt(format!("words (502, {route})"))),
        (503, ForgeError::Doubt(format!("words (503, {route})"))),
        (504, ForgeError::Doubt(format!("words (504, {route})"))),
    ] {
        assert_eq!(written(answer(status, says("words"))).await, expected);
    }
    for status in [500, 502, 503, 504, 409] {
        let world = world().await;
        world.server.on(READ, answer(status, Value::Null));
        let error = read(&world).await.unwrap_err();
        assert!(matches!(error, ForgeError::Transient(_)), "a read leaves no doubt: {error}");
        assert_eq!(world.server.lines().len(), 1);
    }
}

#[tokio::test]
async fn the_words_of_an_error_are_made_harmless() {
    let body = json!({ "message": "Validation\n\u{1b}[31m Failed\u{202e}",
        "errors": [{ "resource": "Label", "field": "name", "code": "invalid", "value": "hidden" }, "plain", 3] });
    let error = written(answer(422, body)).await.to_string();
    assert!(error.starts_with("Validation [31m Failed; Label name invalid; plain;  (422, "), "{error:?}");

    let error = written(answer(422, says(&"é".repeat(1000)))).await.to_string();
    assert_eq!(error.chars().filter(|c| *c == 'é').count(), 300);

    let page = Answer { status: 502, headers: Vec::new(), body: "<html>Unicorn!</html>".to_owned() };
    assert!(
        written(page)
            .await
            .to_string()
            .ends_with("no reason given (502, POST /repos/{owner}/{repo}/issues/{issue_number}/comments)"),
        "no HTML in our logs"
    );
}

#[tokio::test]
async fn an_enterprise_server_keeps_its_prefix() {
    let world = world_at("/api/v3").await;
    let token = json!({ "token": "ghs_enterprise", "expires_at": "2026-11-22T13:00:00Z" });
    let list = "/api/v3/repos/acme/shop/issues/12/comments?per_page=100";
    let strange = json!([{ "id": 1, "body": "hello", "user": { "login": "a", "type": "User" } }]);
    let link = format!("<{}{list}&page=2>; rel=\"next\"", world.server.url);
    world
        .server
        .on("POST /api/v3/app/installations/5/access_tokens", answer(201, token))
        .on(&format!("GET {list}&page=1"), answer(200, strange.clone()).with("link", link))
        .on(&format!("GET {list}&page=2"), answer(200, strange))
        .on("POST /api/v3/repos/acme/shop/issues/12/comments", answer(201, json!({ "id": 9 })));
    let context = ApplyContext { in_doubt: true, ..ApplyContext::default() };
    world.github.apply(&target(), &comment(), &context).await.unwrap();
    let bearers = world.server.bearers();
    assert_eq!(bearers[1..], ["ghs_enterprise"; 3], "the second page too");
}

#[tokio::test]
async fn an_answer_confirmed_by_its_etag_is_not_sent_again() {
    let world = world().await;
    world
        .server
        .on(READ, answer(200, json!({ "permission": "write", "user": { "id": 7 } })).with("etag", "W/\"abc\""))
        .on(READ, answer(304, Value::Null));
    for _ in 0..2 {
        assert_eq!(read(&world).await, Ok(()));
    }
    let asked = world.server.asked();
    assert!(asked[0].headers.get("if-none-match").is_none());
    assert_eq!(asked[1].headers["if-none-match"], "W/\"abc\"");

    let other = phasebot::port::forge::Target { installation: 6, ..target() };
    let error = world.github.answer(&other, &need()).await;
    assert!(error.is_err(), "another tenant gets nothing from our memory");
    assert!(world.server.asked()[2].headers.get("if-none-match").is_none());
}

#[tokio::test]
async fn calls_are_measured_by_route() {
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    let _guard = metrics::set_default_local_recorder(&recorder);
    let world = world().await;
    world
        .server
        .on(
            READ,
            answer(200, json!({ "permission": "write", "user": { "id": 7 } })).with("x-ratelimit-remaining", "4990"),
        )
        .on(
            "POST /graphql",
            answer(500, Value::Null).with("x-ratelimit-remaining", "1").with("x-ratelimit-resource", "graphql"),
        );
    read(&world).await.unwrap();
    world.github.answer(&target(), &Need::LinkedBranches { issue: 1 }).await.unwrap_err();
    let text = recorder.handle().render();
    let route = "GET /repos/{owner}/{repo}/collaborators/{username}/permission";
    for line in [
        format!("phasebot_forge_api_calls_total{{forge=\"github\",route=\"{route}\",status=\"200\"}} 1"),
        "phasebot_forge_api_calls_total{forge=\"github\",route=\"POST /graphql\",status=\"500\"} 1".to_owned(),
        "phasebot_forge_rate_limit_remaining{forge=\"github\",installation=\"5\"} 4990".to_owned(),
        format!("phasebot_forge_api_seconds_count{{forge=\"github\",route=\"{route}\"}} 1"),
    ] {
        assert!(text.contains(&line), "{line}\nis not in\n{text}");
    }
    assert!(!text.contains("acme"), "no names of tenants' repositories in metrics");
}

#[tokio::test]
async fn deliveries_are_understood_through_the_port() {
    use hmac::{Hmac, KeyInit, Mac};

    let world = world().await;
    let body = br#"{"action":"created","repository":{"id":7},"installation":{"id":5}}"#;
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(b"a webhook secret").unwrap();
    mac.update(body);
    let signature = format!("sha256={}", hex::encode(mac.finalize().into_bytes()));
    let mut headers = http::HeaderMap::new();
    headers.insert("x-hub-signature-256", signature.parse().unwrap());
    headers.insert("x-github-event", "star".parse().unwrap());
    headers.insert("x-github-delivery", "72d3162e-cc78-11e3-81ab-4c9367dc0958".parse().unwrap());
    let verified = world.github.verify(&headers, body).unwrap();
    assert_eq!(verified.event, "star");
    assert!(world.github.verify(&headers, b"{}").is_err());
    let route = world.github.route("star", body).unwrap();
    assert_eq!((route.repo, route.installation, route.action.as_deref()), (Some(7), Some(5), Some("created")));
    let event = world.github.decode("star", body, super::server::START.parse().unwrap()).unwrap();
    assert_eq!(event.name, "star.created");
}
