//! Requests that the simulation rejects, and the faults that a test can inject.

use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use phasebot_forge_sim::{AppKey, Clock, Fault, FaultKind, Matcher, MergeMethod, NewPull};
use reqwest::Method;
use serde_json::{Value, json};

use super::{APP, KEY, REPO, World, json_of, signed};
use crate::openapi::check_response;

/// Like GitHub: it cannot reach a webhook on the machine of the person who registers.
#[tokio::test]
async fn a_manifest_with_a_webhook_on_this_machine_is_refused() {
    let world = World::new().await;
    for hook in ["http://127.0.0.1:8080/webhooks/github", "http://localhost/x", "bot.example"] {
        assert_eq!(world.register(hook).await.status().as_u16(), 422, "{hook}");
    }
    assert_eq!(world.register("https://bot.example/x").await.status().as_u16(), 302);
}

#[tokio::test]
async fn only_a_valid_json_web_token_is_taken() {
    let world = World::new().await;
    let (pem, _) = AppKey::generate().unwrap();
    let foreign = signed(&pem, world.clock.now(), &json!(APP), -60, 540);
    for (why, jwt, expected) in [
        ("right", world.jwt(&json!(APP), -60, 600), 200),
        ("id as text", world.jwt(&json!(APP.to_string()), -60, 600), 200),
        ("another App", world.jwt(&json!(APP + 1), -60, 540), 401),
        ("too long", world.jwt(&json!(APP), -60, 601), 401),
        ("expired", world.jwt(&json!(APP), -60, 0), 401),
        ("from the future", world.jwt(&json!(APP), 61, 540), 401),
        ("another key", foreign, 401),
        ("an installation's token", world.token.clone(), 401),
        ("nothing", String::new(), 401),
    ] {
        let (status, answer) = json_of(world.send(Method::GET, "/app", &format!("Bearer {jwt}"), None).await).await;
        assert_eq!(status, expected, "{why}: {answer}");
    }
    let jwt = world.jwt(&json!(APP), -60, 540);
    let (status, _) =
        json_of(world.send(Method::GET, &format!("/repos/{REPO}"), &format!("Bearer {jwt}"), None).await).await;
    assert_eq!(status, 401, "the App's token opens no repository");
}

#[tokio::test]
async fn tokens_expire_and_reach_only_their_repositories() {
    let mut world = World::new().await;
    world.sim.create_repo("acme/docs").unwrap();
    world.sim.create_repo("other/thing").unwrap();
    world.sim.install("oscar", &["other/thing"]).unwrap();
    world.sim.change_installation(world.installation, "alice", &["acme/docs"], &[]).unwrap();
    assert_eq!(world.get("/repos/acme/docs").await.0, 200);
    assert_eq!(world.get("/repos/other/thing").await.0, 404);
    world.token = world.new_token(json!({ "repositories": ["docs"] })).await;
    assert_eq!(world.get("/repos/acme/docs").await.0, 200);
    assert_eq!(world.get(&format!("/repos/{REPO}")).await.0, 404);
    world.clock.forward(SignedDuration::from_mins(59));
    assert_eq!(world.get("/repos/acme/docs").await.0, 200);
    world.clock.forward(SignedDuration::from_mins(1));
    assert_eq!(world.get("/repos/acme/docs").await.0, 401);
    world.token = world.new_token(json!({})).await;
    world.sim.uninstall(world.installation, "alice").unwrap();
    assert_eq!(world.get("/repos/acme/docs").await.0, 401);
    assert_eq!(world.app(Method::GET, &format!("/repos/{REPO}/installation"), None).await.0, 404);
}

#[tokio::test]
async fn a_permission_that_the_app_lacks_is_missed() {
    let world = World::with(|o| {
        o.permissions.remove("checks");
        o.permissions.insert("pull_requests".to_owned(), "read".to_owned());
        o.permissions.insert("issues".to_owned(), "read".to_owned());
    })
    .await;
    assert_eq!(world.get(&format!("/repos/{REPO}/issues")).await.0, 200);
    let (status, answer) = world.post(&format!("/repos/{REPO}/issues"), json!({ "title": "x" })).await;
    assert_eq!((status, &answer["message"]), (403, &json!("Resource not accessible by integration")));
    assert_eq!(world.get(&format!("/repos/{REPO}/commits/main/check-runs")).await.0, 403);
}

#[tokio::test]
async fn a_renamed_repository_redirects() {
    let world = World::new().await;
    let bob = world.person("bob");
    let issue = bob.open_issue("Cart", "", &[]).unwrap().made;
    bob.rename_repo("store").unwrap();
    let token = format!("Bearer {}", world.token);
    for (method, status) in [(Method::GET, 301), (Method::PATCH, 307)] {
        let body = (method == Method::PATCH).then(|| json!({ "title": "The cart" }));
        let path = format!("/repos/{REPO}/issues/{issue}");
        let response = world.send(method.clone(), &path, &token, body.clone()).await;
        assert_eq!(response.status().as_u16(), status);
        let to = response.headers()["location"].to_str().unwrap().replace(&world.sim.api_url(), "");
        assert_eq!(to, format!("/repositories/{}/issues/{issue}", bob.repo()));
        assert_eq!(world.send(method, &to, &token, body).await.status(), 200);
    }
    for exchange in world.sim.requests() {
        check_response(&exchange).unwrap();
    }
}

#[tokio::test]
async fn an_archived_repository_is_read_only() {
    let world = World::new().await;
    world.person("bob").archive_repo(true).unwrap();
    assert_eq!(world.post(&format!("/repos/{REPO}/issues"), json!({ "title": "x" })).await.0, 403);
    assert_eq!(world.get(&format!("/repos/{REPO}/issues")).await.0, 200);
}

#[tokio::test]
async fn what_is_known_already_is_free() {
    let world = World::new().await;
    let url = format!("{}/repos/{REPO}/labels", world.sim.api_url());
    let ask = |tag: String| world.http.get(&url).bearer_auth(&world.token).header("if-none-match", tag).send();
    let first = ask(String::new()).await.unwrap();
    let tag = first.headers()["etag"].to_str().unwrap().to_owned();
    let again = ask(tag.clone()).await.unwrap();
    assert_eq!(again.status(), 304);
    assert_eq!(again.headers()["x-ratelimit-remaining"], first.headers()["x-ratelimit-remaining"]);
    world.post(&format!("/repos/{REPO}/labels"), json!({ "name": "new" })).await;
    assert_eq!(ask(tag).await.unwrap().status(), 200);
}

#[tokio::test]
async fn published_limits_are_enforced_on_request() {
    let world = World::with(|o| o.enforce_limits = true).await;
    let path = format!("/repos/{REPO}/issues");
    for n in 0..80 {
        assert_eq!(world.post(&path, json!({ "title": format!("issue {n}") })).await.0, 201);
    }
    let token = format!("Bearer {}", world.token);
    let refused = world.send(Method::POST, &path, &token, Some(json!({ "title": "too many" }))).await;
    assert_eq!(refused.status(), 403);
    assert_eq!(refused.headers()["retry-after"], "60");
    assert_eq!(refused.headers()["x-ratelimit-used"], "80");
    world.clock.forward(SignedDuration::from_secs(60));
    assert_eq!(world.post(&path, json!({ "title": "later" })).await.0, 201);
}

#[tokio::test]
async fn faults_happen_as_often_as_asked_for() {
    let world = World::new().await;
    let issue = world.person("bob").open_issue("Cart", "", &[]).unwrap().made;
    let path = format!("/repos/{REPO}/issues/{issue}/comments");
    let route = "/repos/{owner}/{repo}/issues/{issue_number}/comments";
    let on = |method: &str, kind| Fault { matcher: Matcher::of(method, route), kind };
    let wait = Duration::from_secs(7);
    for (kind, status, done) in [
        (FaultKind::Status502Before, Some(502), false),
        (FaultKind::Status502AfterApply, Some(502), true),
        (FaultKind::ResetBefore, None, false),
        (FaultKind::ResetAfterApply, None, true),
        (FaultKind::Timeout, None, true),
        (FaultKind::RateLimit429 { retry_after: wait }, Some(429), false),
        (FaultKind::SecondaryLimit403, Some(403), false),
        (FaultKind::NotFoundThenOk, Some(404), false),
    ] {
        world.sim.inject(on("POST", kind), 1);
        let before = world.sim.comments(REPO, issue).len();
        assert_eq!(world.get(&path).await.0, 200, "only what matches is hit");
        let sent = world
            .http
            .post(format!("{}{path}", world.sim.api_url()))
            .bearer_auth(&world.token)
            .timeout(Duration::from_millis(if kind == FaultKind::Timeout { 100 } else { 10_000 }))
            .json(&json!({ "body": "hello" }))
            .send()
            .await;
        match (sent, status) {
            (Ok(answer), Some(status)) => {
                assert_eq!(answer.status().as_u16(), status, "{kind:?}");
                assert_eq!(answer.headers().contains_key("retry-after"), status == 429, "{kind:?}");
            }
            (Err(error), None) => assert_eq!(error.is_timeout(), kind == FaultKind::Timeout, "{kind:?}: {error}"),
            (other, _) => panic!("{kind:?}: {other:?}"),
        }
        assert_eq!(world.sim.comments(REPO, issue).len() - before, usize::from(done), "{kind:?}");
        assert_eq!(world.sim.faults_left(), 0);
        let last = world.sim.requests().pop().unwrap();
        assert_eq!((last.status, last.fault), (status, Some(kind)));
        check_response(&last).unwrap();
    }
    world.sim.inject(on("GET", FaultKind::StaleList), 1);
    let count = |answer: (u16, Value)| answer.1.as_array().unwrap().len();
    let (stale, fresh) = (count(world.get(&path).await), count(world.get(&path).await));
    assert_eq!(stale + 1, fresh);
}

#[tokio::test]
async fn graphql_tells_of_links() {
    let world = World::new().await;
    let bob = world.person("bob");
    let (one, two) = (bob.open_issue("One", "", &[]).unwrap().made, bob.open_issue("Two", "", &[]).unwrap().made);
    bob.push("work", &["x".into()]).unwrap();
    bob.link_branch(one, "work").unwrap();
    let new = NewPull {
        head: "work".to_owned(),
        title: "Work".to_owned(),
        body: format!("Closes #{one}"),
        ..NewPull::default()
    };
    let pull = bob.open_pull(&new).unwrap().made;
    bob.link_issue(pull, two).unwrap();
    let ask = |query: &str| {
        let body = json!({ "query": query, "variables": { "owner": "acme", "name": "shop", "number": pull } });
        async { world.post("/graphql", body).await.1 }
    };
    let answer = ask(
        "query($owner: String!, $name: String!, $number: Int!) {
           repository(owner: $owner, name: $name) {
             pullRequest(number: $number) { closingIssuesReferences(first: 10) { nodes { number repository { nameWithOwner } } } }
           } }",
    )
    .await;
    let nodes = &answer["data"]["repository"]["pullRequest"]["closingIssuesReferences"]["nodes"];
    assert_eq!(nodes[0], json!({ "number": one, "repository": { "nameWithOwner": REPO } }));
    assert_eq!((nodes.as_array().unwrap().len(), &nodes[1]["number"]), (2, &json!(two)));
    let answer = ask(&format!(
        "{{ repository(owner: \"acme\", name: \"shop\") {{ issue(number: {one}) {{ linkedBranches(first: 5) {{ nodes {{ ref {{ name }} }} }} }} }} }}"
    ))
    .await;
    assert_eq!(
        answer["data"]["repository"]["issue"]["linkedBranches"]["nodes"],
        json!([{ "ref": { "name": "work" } }])
    );
    let answer = ask("{ repository(owner: \"acme\", name: \"shop\") { issue(number: 99) { number } } }").await;
    assert_eq!(answer["errors"][0]["type"], "NOT_FOUND");
    let answer =
        ask(&format!("{{ repository(owner: \"acme\", name: \"shop\") {{ issue(number: {one}) {{ mood }} }} }}")).await;
    assert_eq!(answer["errors"][0]["type"], "UNDEFINED_FIELD");
}

/// The timeline names the change that closed an issue: a pull request, or a commit whose message
/// says so. It names none if a person closed the issue.
#[tokio::test]
async fn graphql_tells_what_closed_an_issue() {
    let world = World::new().await;
    let bob = world.person("bob");
    let issue = |title: &str| bob.open_issue(title, "", &[]).unwrap().made;
    let (linked, said, by_hand) = (issue("Linked"), issue("Said"), issue("By hand"));
    bob.push("work", &["x".into()]).unwrap();
    let new = NewPull { head: "work".to_owned(), title: "Work".to_owned(), ..NewPull::default() };
    let pull = bob.open_pull(&new).unwrap().made;
    bob.link_issue(pull, linked).unwrap();
    bob.merge_pull(pull, MergeMethod::Merge).unwrap();
    let commit = bob.push("main", &[format!("Fixes #{said}").as_str().into()]).unwrap().made.remove(0);
    bob.close(by_hand, "completed").unwrap();
    for (number, closer) in [
        (linked, json!({ "__typename": "PullRequest", "number": pull })),
        (said, json!({ "__typename": "Commit", "oid": commit })),
        (by_hand, Value::Null),
    ] {
        let query = format!(
            "{{ repository(owner: \"acme\", name: \"shop\") {{ issue(number: {number}) {{ timelineItems(last: 10, \
             itemTypes: [CLOSED_EVENT]) {{ nodes {{ ... on ClosedEvent {{ closer {{ __typename \
             ... on PullRequest {{ number }} ... on Commit {{ oid }} }} }} }} }} }} }} }}"
        );
        let answer = world.post("/graphql", json!({ "query": query })).await.1;
        let nodes = &answer["data"]["repository"]["issue"]["timelineItems"]["nodes"];
        assert_eq!(*nodes, json!([{ "closer": closer }]), "#{number}: {answer}");
    }
}

/// The system's time, which octocrab signs with.
struct SystemTime;

impl Clock for SystemTime {
    #[expect(clippy::disallowed_methods, reason = "octocrab signs with the system's time, so it is judged by it")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

#[tokio::test]
async fn octocrab_signs_in_and_follows_pages() {
    let world = World::new_signed_by(Arc::new(SystemTime)).await;
    let bob = world.person("bob");
    for n in 0..3 {
        bob.open_issue(&format!("issue {n}"), "", &[]).unwrap();
    }
    let key = jsonwebtoken::EncodingKey::from_rsa_pem(KEY.0.as_bytes()).unwrap();
    let client = octocrab::Octocrab::builder()
        .base_uri(world.sim.api_url())
        .unwrap()
        .app(APP.into(), key)
        .build_with_reqwest(world.http.clone())
        .unwrap()
        .installation(world.installation.into())
        .unwrap();
    let first = client.issues("acme", "shop").list().per_page(2).send().await.unwrap();
    // By its path: octocrab sends no token to an address with a host other than api.github.com.
    let next = first.next.unwrap();
    let second: Vec<octocrab::models::issues::Issue> =
        client.get(next.path_and_query().unwrap().as_str(), None::<&()>).await.unwrap();
    assert_eq!((first.items.len(), second.len()), (2, 1));
}
