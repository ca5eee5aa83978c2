//! The API: who may read what, over HTTP against the simulated GitHub, and that it tells what the
//! pages and `phasebot report` tell.

use http::StatusCode;
use jiff::SignedDuration;
use phasebot::{
    cli::report::{self, Args, By, ReportFormat},
    port::clock::Clock,
    web::Access,
};
use serde_json::Value;

use super::{
    Answer, Client,
    access::{REPOSITORIES, may_see, populate, world},
};
use crate::flow::{REPO, Setup, World, whole_loop::through_the_loop};

/// Resources of a repository.
const RESOURCES: [&str; 15] = [
    "metrics",
    "metrics.csv",
    "flow",
    "flow.csv",
    "deployments",
    "deployments.csv",
    "changes",
    "changes.csv",
    "items/1",
    "items/1.csv",
    "items/99",
    "environments",
    "environments.csv",
    "gates",
    "gates.csv",
];

async fn with_token(client: &Client, path: &str, token: &str) -> Answer {
    client.get_with(path, &[("authorization", &format!("Bearer {token}"))]).await
}

#[tokio::test]
async fn every_caller_reads_what_github_lets_their_token_read_and_nothing_else() {
    let (world, client) = world().await;
    populate(&world).await;
    for login in ["reader", "member", "outsider", "stranger"] {
        let token = world.forge.new_person_token(login);
        let nothing = with_token(&client, "/api/v1/repos/nobody/nothing/metrics", &token).await;
        assert_eq!(nothing.status, StatusCode::NOT_FOUND, "{}", nothing.body);
        for repository in REPOSITORIES {
            for resource in RESOURCES {
                let path = format!("/api/v1/repos/{repository}/{resource}");
                let answer = with_token(&client, &path, &token).await;
                if may_see(login, repository) {
                    let status = if resource == "items/99" { StatusCode::NOT_FOUND } else { StatusCode::OK };
                    assert_eq!(answer.status, status, "{login} {path}\n{}", answer.body);
                } else {
                    // Missing and forbidden are the same, to the byte.
                    assert_eq!((answer.status, &answer.body), (nothing.status, &nothing.body), "{login} {path}");
                }
            }
            world.run(SignedDuration::from_secs(10)).await;
        }
    }
    world.check().await;
}

#[tokio::test]
async fn nobody_without_a_valid_token_reads_anything() {
    let (world, client) = world().await;
    populate(&world).await;
    let refused = |answer: &Answer, path: &str| {
        assert_eq!((answer.status, answer.header("www-authenticate")), (StatusCode::UNAUTHORIZED, "Bearer"), "{path}");
        assert!(!answer.body.contains("acme"), "{}", answer.body);
    };
    for repository in REPOSITORIES {
        for resource in RESOURCES {
            let path = format!("/api/v1/repos/{repository}/{resource}");
            refused(&client.get(&path).await, &path);
        }
    }
    let path = "/api/v1/repos/acme/open/metrics";
    for shown in
        ["Bearer made-up", "Bearer ", "Basic YTpi", "Bearer a b", "made-up", &format!("Bearer {}", "a".repeat(400))]
    {
        refused(&client.get_with(path, &[("authorization", shown)]).await, shown);
    }
    let token = world.forge.new_person_token("member");
    assert_eq!(with_token(&client, path, &token).await.status, StatusCode::OK);
    world.forge.revoke_sign_ins("member");
    world.run(SignedDuration::from_mins(5)).await;
    refused(&with_token(&client, path, &token).await, "revoked");
    // Whoever tries tokens waits.
    let mut last = StatusCode::OK;
    for number in 0..70 {
        last = with_token(&client, path, &format!("made-up-{number}")).await.status;
    }
    assert_eq!(last, StatusCode::TOO_MANY_REQUESTS);
    // Nobody else waits for them: the proxy tells who calls.
    let token = format!("Bearer {}", world.forge.new_person_token("member"));
    let from = |addresses: &'static str| [("authorization", token.as_str()), ("x-forwarded-for", addresses)];
    let refused = client.get_with(path, &from("203.0.113.9, 127.0.0.1")).await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS, "callers make up what stands before");
    assert_eq!(client.get_with(path, &from("127.0.0.1, 203.0.113.9")).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_refused_token_reaches_github_once() {
    let (world, client) = world().await;
    populate(&world).await;
    world.forge.clear_requests();
    for repository in REPOSITORIES.iter().cycle().take(12) {
        let answer = with_token(&client, &format!("/api/v1/repos/{repository}/metrics"), "made-up").await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{}", answer.body);
    }
    let asked = |world: &World| world.forge.requests().iter().filter(|one| one.status == Some(401)).count();
    assert_eq!(asked(&world), 1);
    world.run(SignedDuration::from_mins(6)).await;
    with_token(&client, "/api/v1/repos/acme/open/metrics", "made-up").await;
    assert_eq!(asked(&world), 2, "GitHub may accept it by then");
}

#[tokio::test]
async fn every_refusal_is_json_and_no_answer_has_too_many_parts() {
    let (_world, client) = open().await;
    for resource in ["metrics?since=", "metrics?since=9d&since=8d", "metrics?since=3660d&by=day", "changes?limit=x"] {
        let answer = client.get(&format!("/api/v1/repos/{REPO}/{resource}")).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{resource} {}", answer.body);
        let said: Value = serde_json::from_str(&answer.body).unwrap();
        assert!(said["error"].is_string(), "{resource} {said}");
    }
}

#[tokio::test]
async fn operators_read_everything_at_the_private_address() {
    let (world, _) = world().await;
    populate(&world).await;
    let client = Client::new(world.admin);
    for path in ["/api/v1/repos/acme/secret/metrics", "/api/v1/repos/other/tool/items/1", "/api/v1/nothing"] {
        for token in ["", "wrong"] {
            assert_eq!(with_token(&client, path, token).await.status, StatusCode::UNAUTHORIZED, "{path}");
        }
    }
    let token = crate::flow::world::OPERATORS;
    for repository in ["acme/secret", "other/tool"] {
        for resource in RESOURCES.iter().filter(|resource| **resource != "items/99") {
            let answer = with_token(&client, &format!("/api/v1/repos/{repository}/{resource}"), token).await;
            assert_eq!(answer.status, StatusCode::OK, "{repository} {resource}\n{}", answer.body);
        }
    }
    let missing = with_token(&client, "/api/v1/repos/acme/missing/metrics", token).await;
    assert_eq!(missing.status, StatusCode::NOT_FOUND);
}

async fn open() -> (World, Client) {
    let world = World::with(Setup { pages: Some(Access::Open), ..Setup::default() }).await;
    let client = Client::new(world.web.unwrap());
    (world, client)
}

/// Three releases, one of which is rolled back.
async fn story(world: &World) {
    world.person("bob").tag("v0.9.0", "main").unwrap();
    let first = world.deploy("v0.9.0", "production");
    world.deployed(first, "success");
    world.minute().await;
    through_the_loop(world, "v1.0.0").await;
    let back = world.deploy("v0.9.0", "production");
    world.deployed(back, "success");
    world.run(SignedDuration::from_hours(24 * 8)).await;
}

async fn report(world: &World, since: u16, by: Option<By>, format: ReportFormat) -> String {
    let args = Args { repo: Some(REPO.parse().unwrap()), service: None, environment: None, since, by, format };
    let mut out = Vec::new();
    report::perform(&args, world.store.as_ref(), world.clock.now(), &mut out).await.unwrap();
    String::from_utf8(out).unwrap()
}

async fn json(client: &Client, resource: &str) -> Value {
    let answer = client.get(&format!("/api/v1/repos/{REPO}/{resource}")).await;
    assert_eq!((answer.status, answer.header("content-type")), (StatusCode::OK, "application/json"), "{}", answer.body);
    serde_json::from_str(&answer.body).unwrap()
}

/// The report, the API, both as comma-separated values, the page and the command tell the same.
#[tokio::test]
async fn every_output_tells_the_same_figures() {
    let (world, client) = open().await;
    story(&world).await;
    let of_report: Value = serde_json::from_str(&report(&world, 84, Some(By::Week), ReportFormat::Json).await).unwrap();
    let of_api = json(&client, "metrics?since=84d&by=week").await;
    assert_eq!(of_api, of_report[0]);
    let figures = &of_api["figures"];
    assert_eq!(json(&client, "flow?since=84d").await["flow"], figures["flow"]);

    let of_report = report(&world, 84, Some(By::Week), ReportFormat::Csv).await;
    let of_api = client.get(&format!("/api/v1/repos/{REPO}/metrics.csv?since=84d&by=week")).await;
    assert_eq!((of_api.body, of_api.headers["content-type"].to_str().unwrap()), (of_report, "text/csv; charset=utf-8"));

    let (count, failed) = (&figures["deployment_frequency"]["count"], &figures["change_fail_rate"]["share"]);
    assert_eq!((count.as_u64(), failed["part"].as_u64()), (Some(2), Some(1)), "{figures}");
    let page = client.get(&format!("/{REPO}/dora")).await.body;
    for part in [
        format!("{count} deployments brought something new"),
        format!("{} of {} deployments needed intervention at once", failed["part"], failed["n"]),
        format!(
            "{} of {} deployments and rollbacks",
            figures["rework_rate"]["share"]["part"], figures["rework_rate"]["share"]["n"]
        ),
    ] {
        assert!(page.contains(&part), "{part}\n{page}");
    }
    let bob = world.person("bob");
    let issue = bob.open_issue("How do we do?", "", &[]).unwrap().made;
    bob.comment(issue, "/metrics 84d").unwrap();
    world.minute().await;
    let said = world.forge.comments(REPO, issue).into_iter().map(|(_, body)| body).collect::<Vec<_>>().join("\n");
    for part in [format!("{} of {}", failed["part"], failed["n"]), count.to_string()] {
        assert!(said.contains(&part), "{part}\n{said}");
    }
}

#[tokio::test]
async fn a_figure_leads_to_its_rows_and_a_row_to_its_evidence() {
    let (world, client) = open().await;
    story(&world).await;
    let deployments = json(&client, "deployments").await;
    let live: Vec<&Value> =
        deployments["deployments"].as_array().unwrap().iter().filter(|row| row["production"] == true).collect();
    let kinds: Vec<&str> = live.iter().map(|row| row["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["forward", "forward", "rollback"], "{deployments}");
    assert_eq!(live[1]["failures"][0]["rolled_back"], live[2]["id"]);
    let changes = json(&client, "changes").await;
    let change = &changes["changes"].as_array().unwrap().iter().find(|row| row["production"] == true).unwrap().clone();
    let parts: i64 = change["parts"].as_object().unwrap().values().map(|part| part.as_i64().unwrap()).sum();
    assert_eq!(change["lead_time"].as_i64(), Some(parts), "{change}");
    let number = change["change"].as_str().unwrap().trim_start_matches('#').to_owned();
    let item = json(&client, &format!("items/{number}")).await;
    assert!(item["history"].as_array().unwrap().iter().all(|step| step["reason"]["sentence"].is_string()), "{item}");
    assert_eq!(item["repository"], REPO);
    let environments = json(&client, "environments").await;
    let names: Vec<&str> =
        environments["environments"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["staging", "production"], "towards production");

    // Page by page, and all at once, the same rows.
    let (mut paged, mut path) = (Vec::new(), "deployments?limit=1".to_owned());
    loop {
        let page = json(&client, &path).await;
        paged.extend(page["deployments"].as_array().unwrap().iter().map(|row| row["id"].to_string()));
        let Some(next) = page["next"].as_str() else { break };
        path = format!("deployments?limit=1&after={next}");
    }
    let lines = client.get(&format!("/api/v1/repos/{REPO}/deployments.csv")).await.body;
    let all: Vec<String> = lines.lines().skip(1).map(|line| line.split(',').next().unwrap().to_owned()).collect();
    assert_eq!((paged.len(), &paged), (4, &all), "{lines}");
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_with_a_sentence() {
    let (_world, client) = open().await;
    for query in ["metrics?since=0d", "metrics?since=x", "metrics?by=hour", "deployments?after=x", "flow?since=99999d"]
    {
        let answer = client.get(&format!("/api/v1/repos/{REPO}/{query}")).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{query}: {}", answer.body);
        let said: Value = serde_json::from_str(&answer.body).unwrap();
        assert!(said["error"].as_str().unwrap().ends_with('.'), "{said}");
    }
    let post = client.send(reqwest::Method::POST, &format!("/api/v1/repos/{REPO}/metrics"), &[]).await;
    assert_eq!((post.status, post.header("allow")), (StatusCode::METHOD_NOT_ALLOWED, "GET, HEAD"));
}
