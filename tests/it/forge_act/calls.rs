//! What every call has in common: errors, redirects, conditional requests, metrics.

use phasebot::{
    domain::{effect::Effect, needs::Need},
    port::forge::{ApplyContext, Forge, ForgeError},
};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::server::{Answer, Server, World, answer, clock, github, target, world, world_at};

const READ: &str = "GET /repos/acme/shop/collaborators/alice/permission";
const WRITE: &str = "POST /repos/acme/shop/issues/12/comments";

fn need() -> Need {
    Need::Writer { login: "alice".to_owned() }
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

/// What a write's answer comes to.
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
        (400, ForgeError::Permanent(format!("{route}: 400 words"))),
        (403, ForgeError::Permanent(format!("{route}: 403 words"))),
        (404, ForgeError::NotFound(format!("{route}: 404 words"))),
        (409, ForgeError::Transient(format!("{route}: 409 words"))),
        (410, ForgeError::NotFound(format!("{route}: 410 words"))),
        (422, ForgeError::Permanent(format!("{route}: 422 words"))),
        (451, ForgeError::NotFound(format!("{route}: 451 words"))),
        (500, ForgeError::Doubt(format!("{route}: 500 words"))),
        (502, ForgeError::Doubt(format!("{route}: 502 words"))),
        (503, ForgeError::Doubt(format!("{route}: 503 words"))),
        (504, ForgeError::Doubt(format!("{route}: 504 words"))),
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
    assert!(error.ends_with("422 Validation [31m Failed; Label name invalid; plain; "), "{error:?}");

    let error = written(answer(422, says(&"é".repeat(1000)))).await.to_string();
    assert_eq!(error.chars().filter(|c| *c == 'é').count(), 300);

    let page = Answer { status: 502, headers: Vec::new(), body: "<html>Unicorn!</html>".to_owned() };
    assert!(written(page).await.to_string().ends_with("comments: 502"), "no HTML in our logs");
}

/// Takes connections, reads what comes until the end of the request's head,
/// and hangs up, after `answer` bytes if there are some. Counts requests.
async fn hangs_up(answer: &'static str) -> (String, std::sync::Arc<std::sync::Mutex<Vec<String>>>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let heard = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let log = heard.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut text = Vec::new();
            while !text.windows(4).any(|end| end == b"\r\n\r\n") {
                let mut buffer = [0; 4096];
                match stream.read(&mut buffer).await {
                    Ok(0) | Err(_) => break,
                    Ok(n) => text.extend_from_slice(&buffer[..n]),
                }
            }
            let text = String::from_utf8_lossy(&text).into_owned();
            let line = text.lines().next().unwrap_or_default().to_owned();
            if line.starts_with("POST /app/") {
                let body = r#"{"token":"t","expires_at":"2026-11-22T13:00:00Z"}"#;
                let head = format!(
                    "HTTP/1.1 201 Created\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
                    body.len()
                );
                let _ = stream.write_all(head.as_bytes()).await;
            } else {
                log.lock().unwrap().push(line);
                let _ = stream.write_all(answer.as_bytes()).await;
            }
            let _ = stream.shutdown().await;
        }
    });
    (url, heard)
}

#[tokio::test]
async fn a_connection_that_breaks_after_the_request_leaves_a_doubt() {
    let (url, heard) = hangs_up("").await;
    let github = github(&url, clock());
    let error = github.apply(&target(), &comment(), &ApplyContext::default()).await.unwrap_err();
    assert!(matches!(error, ForgeError::Doubt(_)), "{error}");
    assert_eq!(heard.lock().unwrap().len(), 1, "sent once");
    let error = github.answer(&target(), &need()).await.unwrap_err();
    assert!(matches!(error, ForgeError::Transient(_)), "{error}");
    assert!(!error.to_string().contains("127.0.0.1"), "no address in it: {error}");
}

#[tokio::test]
async fn a_write_whose_success_breaks_off_was_done_all_the_same() {
    let (url, heard) = hangs_up("HTTP/1.1 201 Created\r\ncontent-length: 500\r\n\r\n{\"id\": 9").await;
    let github = github(&url, clock());
    let applied = github.apply(&target(), &comment(), &ApplyContext::default()).await.unwrap();
    assert_eq!(applied.made, None);
    assert_eq!(heard.lock().unwrap().len(), 1);
    let error = github.answer(&target(), &need()).await.unwrap_err();
    assert!(matches!(error, ForgeError::Transient(_)), "a read was not: {error}");
}

#[tokio::test]
async fn without_a_connection_surely_nothing_was_done() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let github = github(&url, clock());
    let error = github.apply(&target(), &comment(), &ApplyContext::default()).await.unwrap_err();
    assert!(matches!(&error, ForgeError::Transient(why) if why.contains("no connection")), "{error}");
}

#[tokio::test]
async fn a_renamed_repository_is_followed_with_method_and_body() {
    for status in [301, 302, 307, 308] {
        let world = world().await;
        world
            .server
            .on(WRITE, answer(status, Value::Null).with("location", "/repositories/7/issues/12/comments"))
            .on("POST /repositories/7/issues/12/comments", answer(201, json!({ "id": 9 })))
            .on("GET /repositories/7", answer(200, json!({ "id": 7, "full_name": "acme/store" })));
        let applied = world.github.apply(&target(), &comment(), &ApplyContext::default()).await.unwrap();
        assert_eq!(applied.renamed_to.as_deref(), Some("acme/store"));
        assert_eq!(applied.made.as_deref(), Some("9"));
        let asked = world.server.asked();
        assert_eq!(asked.len(), 3);
        assert_eq!(asked[0].body, asked[1].body);
        assert_eq!(asked[1].headers["authorization"], "Bearer ghs_verysecret1");
    }
}

#[tokio::test]
async fn a_redirect_that_tells_the_new_name_costs_no_question() {
    let world = world().await;
    let moved = "/repos/acme/store/issues/12";
    let to = format!("{}{moved}/labels/phase%2Fplan", world.server.url);
    world
        .server
        .on("DELETE /repos/acme/shop/issues/12/labels/phase%2Fplan", answer(301, Value::Null).with("location", to))
        .on(&format!("DELETE {moved}/labels/phase%2Fplan"), answer(200, json!([])))
        .on(&format!("POST {moved}/labels"), answer(200, json!([{ "name": "phase/code" }])));
    let look = |name: &str| phasebot::domain::effect::LabelLook {
        name: name.to_owned(),
        color: "ffffff".to_owned(),
        description: String::new(),
    };
    let labels: std::collections::BTreeSet<String> = ["phase/plan".to_owned(), "phase/code".to_owned()].into();
    let effect = Effect::SetPhase { item: 12, label: Some(look("phase/code")), phase_labels: labels.clone() };
    let context =
        ApplyContext { item_labels: Some(["phase/plan".to_owned()].into()), repo_labels: labels, in_doubt: false };
    let applied = world.github.apply(&target(), &effect, &context).await.unwrap();
    assert_eq!(applied.renamed_to.as_deref(), Some("acme/store"));
    assert_eq!(world.server.lines().len(), 3, "the second call goes to the new place at once");
}

#[tokio::test]
async fn credentials_never_go_to_another_host() {
    let elsewhere = Server::start().await;
    for location in [
        format!("{}/repos/acme/shop/issues/12/comments", elsewhere.url),
        elsewhere.url.replace("http://", "//"),
        "ftp://127.0.0.1/x".to_owned(),
        "not a place".to_owned(),
        String::new(),
    ] {
        let error = written(answer(307, Value::Null).with("location", location)).await;
        assert!(matches!(&error, ForgeError::Permanent(why) if why.contains("another host")), "{error}");
    }
    assert!(matches!(written(answer(307, Value::Null)).await, ForgeError::Permanent(_)));
    assert!(elsewhere.lines().is_empty());
}

#[tokio::test]
async fn a_name_that_now_leads_to_another_repository_is_not_followed() {
    let error = written(answer(307, Value::Null).with("location", "/repositories/8/issues/12/comments")).await;
    assert!(matches!(error, ForgeError::NotFound(_)), "{error}");
}

#[tokio::test]
async fn a_circle_of_redirects_has_an_end() {
    let world = world().await;
    world.server.on(WRITE, answer(307, Value::Null).with("location", "/repos/acme/shop/issues/12/comments"));
    let error = write(&world).await.unwrap_err();
    assert!(matches!(error, ForgeError::Permanent(_)), "{error}");
    assert_eq!(world.server.lines().len(), 4);
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
        .on(READ, answer(200, json!({ "permission": "write" })).with("etag", "W/\"abc\""))
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
    world.server.on(READ, answer(200, json!({ "permission": "write" })).with("x-ratelimit-remaining", "4990")).on(
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
        "phasebot_forge_rate_limit_remaining{installation=\"5\"} 4990".to_owned(),
        format!("phasebot_forge_api_seconds_count{{forge=\"github\",route=\"{route}\"}} 1"),
    ] {
        assert!(text.contains(&line), "{line}\nis not in\n{text}");
    }
    assert!(!text.contains("acme"), "no names of tenants' repositories in metrics");
}
