//! Queries to GitHub.

use std::collections::BTreeSet;

use phasebot::{
    domain::{
        event::CheckSource,
        id::{AccountId, Actor},
        needs::{Answer as Said, Closer, Need, RequiredCheck},
    },
    port::forge::{Forge, ForgeError},
};
use serde_json::{Value, json};

use super::server::{Answer, World, answer, target, world, world_at};

async fn ask(world: &World, need: Need) -> Result<Said, ForgeError> {
    world.github.answer(&target(), &need).await
}

#[tokio::test]
async fn who_we_are_and_where() {
    let world = world().await;
    world
        .server
        .on("GET /app", answer(200, json!({ "id": 4711, "slug": "phasebot" })))
        .on("GET /app", answer(200, json!({ "id": 4711, "slug": "stagehand" })))
        .on("GET /repos/acme/shop/installation", answer(200, json!({ "id": 5 })))
        .on("GET /repos/acme/other/installation", answer(404, json!({ "message": "Not Found" })));
    let me = Actor { id: None, login: "phasebot[bot]".to_owned(), bot: true };
    assert_eq!(world.github.identity().await.unwrap(), me);
    assert_eq!(world.github.identity().await.unwrap().login, "stagehand[bot]", "an App may be renamed");
    assert_eq!(world.github.connection_of("acme/shop").await, Ok(Some(5)));
    assert_eq!(world.github.connection_of("acme/other").await, Ok(None));
    assert!(world.github.connection_of("acme").await.is_err());
    assert_eq!(world.server.lines().len(), 4);
    assert!(world.server.mints().is_empty(), "all as the App");
}

fn writer(login: &str) -> Need {
    Need::Writer { id: Some(AccountId(7)), login: login.to_owned() }
}

/// GitHub's answer about a login is about its present owner.
#[tokio::test]
async fn a_login_that_changed_hands() {
    let world = world().await;
    let may = |id: u64| json!({ "permission": "write", "role_name": "write", "user": { "id": id, "login": "?" } });
    world.server.on("GET /repos/acme/shop/collaborators/ada/permission", answer(200, may(8)));
    world.server.on("GET /user/7", answer(200, json!({ "id": 7, "login": "bob" })));
    world.server.on(
        "GET /repos/acme/shop/collaborators/bob/permission",
        answer(200, json!({ "permission": "read", "role_name": "read", "user": { "id": 7, "login": "bob" } })),
    );
    assert_eq!(ask(&world, writer("ada")).await, Ok(Said::Writer(false)), "the stranger's right is not theirs");
    let stranger = Need::Writer { id: Some(AccountId(8)), login: "ada".to_owned() };
    assert_eq!(ask(&world, stranger).await, Ok(Said::Writer(true)));
    let nameless = Need::Writer { id: None, login: "ada".to_owned() };
    assert!(matches!(ask(&world, nameless).await, Err(ForgeError::Permanent(_))));
}

#[tokio::test]
async fn writers() {
    let world = world().await;
    for (login, mut body, may) in [
        ("admin", json!({ "permission": "admin", "role_name": "admin" }), true),
        ("write", json!({ "permission": "write", "role_name": "write" }), true),
        ("maintain", json!({ "permission": "write", "role_name": "maintain" }), true),
        ("custom", json!({ "permission": "write", "role_name": "Security engineer" }), true),
        ("triage", json!({ "permission": "read", "role_name": "triage" }), false),
        ("read", json!({ "permission": "read" }), false),
        ("none", json!({ "permission": "none" }), false),
        ("new", json!({ "permission": "superuser", "something": 1 }), false),
    ] {
        body["user"] = json!({ "id": 7, "login": login });
        world.server.on(&format!("GET /repos/acme/shop/collaborators/{login}/permission"), answer(200, body));
        let said = ask(&world, writer(login)).await.unwrap();
        assert_eq!(said, Said::Writer(may), "{login}");
    }
    world.server.on(
        "GET /repos/acme/shop/collaborators/a%2Fb%5Bbot%5D/permission",
        answer(404, json!({ "message": "a/b[bot] is not a user" })),
    );
    world.server.on("GET /user/7", answer(404, json!({ "message": "Not Found" })));
    assert_eq!(ask(&world, writer("a/b[bot]")).await, Ok(Said::Writer(false)));
    world.server.on("GET /repos/acme/shop/collaborators/x/permission", answer(403, json!({ "message": "no" })));
    let error = ask(&world, writer("x")).await.unwrap_err();
    assert!(matches!(error, ForgeError::Permanent(_)), "an error is no answer: {error}");
}

#[tokio::test]
async fn linked_issues_of_the_same_repository() {
    for (prefix, line) in [("", "POST /graphql"), ("/api/v3", "POST /api/graphql")] {
        let world = world_at(prefix).await;
        if !prefix.is_empty() {
            world.server.on(
                "POST /api/v3/app/installations/5/access_tokens",
                answer(201, json!({ "token": "t", "expires_at": "2026-11-22T13:00:00Z" })),
            );
        }
        let node = |number: u64, name: &str| json!({ "number": number, "repository": { "nameWithOwner": name } });
        world.server.on(
            line,
            answer(
                200,
                json!({ "data": { "repository": { "nameWithOwner": "Acme/Shop", "pullRequest": {
                "closingIssuesReferences": { "nodes":
                    [node(3, "Acme/Shop"), node(9, "evil/shop"), null, node(4, "acme/shop")] } } } } }),
            ),
        );
        assert_eq!(ask(&world, Need::LinkedIssues { pull: 12 }).await, Ok(Said::LinkedIssues([3, 4].into())));
        let asked: Vec<_> =
            world.server.asked().into_iter().filter(|asked| !asked.line.contains("access_tokens")).collect();
        assert_eq!(asked.len(), 1);
        assert_eq!(asked[0].line, line);
        let body = asked[0].body.clone().unwrap();
        assert_eq!(body["variables"], json!({ "owner": "acme", "name": "shop", "number": 12 }));
        let query = body["query"].as_str().unwrap();
        assert!(query.contains("closingIssuesReferences(first: 10)"), "{query}");
    }
}

#[tokio::test]
async fn linked_branches() {
    let world = world().await;
    let nodes = json!([{ "ref": { "name": "issue-12" } }, { "ref": null }, { "ref": { "name": "fix/12" } }]);
    world.server.on(
        "POST /graphql",
        answer(200, json!({ "data": { "repository": { "issue": { "linkedBranches": { "nodes": nodes } } } } })),
    );
    let said = ask(&world, Need::LinkedBranches { issue: 12 }).await;
    assert_eq!(said, Ok(Said::LinkedBranches(["fix/12".to_owned(), "issue-12".to_owned()].into())));
}

/// GitHub names a pull request or commit in the `ClosedEvent` of the timeline.
#[tokio::test]
async fn what_closed_an_issue() {
    let shop = json!({ "nameWithOwner": "Acme/Shop" });
    let other = json!({ "nameWithOwner": "acme/other" });
    let (commit, at) = ("c".repeat(40), "2026-11-02T10:00:00Z");
    for (closer, expected) in [
        (json!({ "__typename": "PullRequest", "number": 7, "repository": shop }), Some(Closer::Pull(7))),
        (
            json!({ "__typename": "Commit", "oid": commit, "repository": shop }),
            Some(Closer::Commit(commit.parse().unwrap())),
        ),
        (json!({ "__typename": "PullRequest", "number": 7, "repository": other }), None),
        (json!({ "__typename": "ProjectV2" }), None),
        (Value::Null, None),
    ] {
        let world = world().await;
        let earlier = json!({ "createdAt": "2026-10-01T10:00:00Z", "closer": { "__typename": "PullRequest", "number": 3, "repository": shop } });
        let nodes = json!([earlier, { "createdAt": "2026-11-02T10:00:02Z", "closer": closer }, null]);
        let issue = json!({ "timelineItems": { "nodes": nodes } });
        let data = json!({ "data": { "repository": { "nameWithOwner": "acme/shop", "issue": issue } } });
        world.server.on("POST /graphql", answer(200, data));
        let need = Need::Closer { issue: 12, at: at.parse().unwrap() };
        assert_eq!(ask(&world, need).await, Ok(Said::Closer(expected)), "{closer}");
    }
    let world = world().await;
    let data = json!({ "data": { "repository": { "nameWithOwner": "acme/shop", "issue": { "timelineItems": { "nodes": [] } } } } });
    world.server.on("POST /graphql", answer(200, data));
    assert_eq!(ask(&world, Need::Closer { issue: 12, at: at.parse().unwrap() }).await, Ok(Said::Closer(None)));
}

#[tokio::test]
async fn graphql_tells_its_errors_in_the_body() {
    fn failed(error: &Value) -> Answer {
        answer(200, json!({ "data": { "repository": null }, "errors": [error] }))
    }
    let until = "2026-11-22T12:01:00Z".parse().unwrap();
    for (answer, expected) in [
        (
            failed(&json!({ "type": "NOT_FOUND", "message": "no" })),
            ForgeError::NotFound("POST /graphql: no".to_owned()),
        ),
        (failed(&json!({ "type": "RATE_LIMITED", "message": "slow" })), ForgeError::RateLimited { until }),
        (
            failed(&json!({ "type": "FORBIDDEN", "message": "no" })),
            ForgeError::Permanent("POST /graphql: no".to_owned()),
        ),
        (
            failed(&json!({ "extensions": { "code": "undefinedField" }, "message": "no field" })),
            ForgeError::Permanent("POST /graphql: no field".to_owned()),
        ),
        (
            failed(&json!({ "message": "Something went wrong" })),
            ForgeError::Transient("POST /graphql: Something went wrong".to_owned()),
        ),
        (
            answer(200, json!({ "data": { "repository": null } })),
            ForgeError::NotFound("GraphQL: no such repository".to_owned()),
        ),
        (
            answer(200, json!({ "data": { "repository": { "issue": null } } })),
            ForgeError::NotFound("GraphQL: no issue #12".to_owned()),
        ),
        (answer(502, Value::Null), ForgeError::Transient("no reason given (502, POST /graphql)".to_owned())),
    ] {
        let world = world().await;
        world.server.on("POST /graphql", answer);
        assert_eq!(ask(&world, Need::LinkedBranches { issue: 12 }).await, Err(expected));
    }
}

fn sha(n: usize) -> String {
    format!("{n:040x}")
}

fn commit(n: usize) -> Value {
    json!({ "sha": sha(n), "commit": { "message": format!("commit {n}") }, "parents": [{ "sha": sha(n - 1) }] })
}

fn commits(range: impl Iterator<Item = usize>) -> Value {
    range.map(commit).collect()
}

fn between(base: usize, head: usize) -> Need {
    Need::Commits { base: Some(sha(base).parse().unwrap()), head: sha(head).parse().unwrap() }
}

fn compare(base: usize, head: usize, page: usize) -> String {
    format!("GET /repos/acme/shop/compare/{}...{}?per_page=100&page={page}", sha(base), sha(head))
}

#[tokio::test]
async fn a_comparison_is_read_to_its_end() {
    let world = world().await;
    for page in 1..=3 {
        let from = (page - 1) * 100 + 2;
        let body = json!({ "total_commits": 250, "merge_base_commit": { "sha": sha(1) },
            "commits": commits(from..(from + 100).min(252)) });
        // Addresses in the answer are never followed: only the existence of another page counts.
        let rel = if page < 3 { "next" } else { "first" };
        let link = format!("<https://evil.example/steal?page={}>; rel=\"{rel}\"", page + 1);
        world.server.on(&compare(1, 251, page), answer(200, body).with("link", link));
    }
    let Said::Commits { merge_base, commits, complete } = ask(&world, between(1, 251)).await.unwrap() else {
        panic!("another answer")
    };
    assert_eq!(world.server.lines(), [1, 2, 3].map(|page| compare(1, 251, page)));
    assert_eq!(merge_base, Some(sha(1).parse().unwrap()));
    assert!(complete);
    assert_eq!(commits.len(), 250);
    assert_eq!(commits[0].sha, sha(2).parse().unwrap(), "oldest first");
    assert_eq!(commits[249].message, "commit 251");
    assert_eq!(commits[249].parents, Some(vec![sha(250).parse().unwrap()]));
}

#[tokio::test]
async fn a_comparison_has_an_end() {
    let world = world().await;
    for page in 1..=31 {
        let from = (page - 1) * 100 + 2;
        let body = json!({ "total_commits": 9999, "merge_base_commit": { "sha": sha(1) },
            "commits": commits(from..from + 100) });
        world.server.on(&compare(1, 9999, page), answer(200, body));
    }
    let said = ask(&world, between(1, 9999)).await.unwrap();
    assert!(matches!(said, Said::Commits { complete: false, commits, .. } if commits.len() == 3000));
    assert_eq!(world.server.lines().len(), 30);
}

#[tokio::test]
async fn without_common_history_all_of_head_counts() {
    let world = world().await;
    let words = format!("No common ancestor between {} and {}.", sha(1), sha(9));
    world.server.on(&compare(1, 9, 1), answer(404, json!({ "message": words }))).on(
        &format!("GET /repos/acme/shop/commits?sha={}&per_page=100&page=1", sha(9)),
        answer(200, commits([9, 8].into_iter())),
    );
    let Said::Commits { merge_base, commits, complete } = ask(&world, between(1, 9)).await.unwrap() else {
        panic!("another answer")
    };
    assert_eq!((merge_base, complete), (None, true));
    assert_eq!(commits.iter().map(|c| c.sha.to_string()).collect::<Vec<_>>(), [sha(8), sha(9)]);

    world.server.on(&compare(2, 9, 1), answer(404, json!({ "message": "Not Found" })));
    assert!(matches!(ask(&world, between(2, 9)).await, Err(ForgeError::NotFound(_))));
}

#[tokio::test]
async fn a_long_past_is_not_complete() {
    let world = world().await;
    for page in 1..=11 {
        let line = format!("GET /repos/acme/shop/commits?sha={}&per_page=100&page={page}", sha(2000));
        let newest = 2000 - (page - 1) * 100;
        world.server.on(&line, answer(200, commits((newest - 99..=newest).rev())));
    }
    let said = ask(&world, Need::Commits { base: None, head: sha(2000).parse().unwrap() }).await.unwrap();
    let Said::Commits { merge_base: None, commits, complete: false } = said else { panic!("another answer") };
    assert_eq!(commits.len(), 1000);
    assert_eq!(commits[0].sha, sha(1001).parse().unwrap(), "oldest first");
    assert_eq!(commits[999].sha, sha(2000).parse().unwrap());
    assert_eq!(world.server.lines().len(), 10);
}

#[tokio::test]
async fn the_commit_of_a_tag() {
    let world = world().await;
    world
        .server
        .on("GET /repos/acme/shop/commits/tags/api/v1.2.3%23x?per_page=1", answer(200, json!({ "sha": sha(5) })))
        .on(
            "GET /repos/acme/shop/commits/tags/v9?per_page=1",
            answer(422, json!({ "message": "No commit found for SHA: tags/v9" })),
        );
    let tag = |tag: &str| Need::TagCommit { tag: tag.to_owned() };
    assert_eq!(ask(&world, tag("api/v1.2.3#x")).await, Ok(Said::TagCommit(sha(5).parse().unwrap())));
    assert!(matches!(ask(&world, tag("v9")).await, Err(ForgeError::NotFound(_))));
    assert!(matches!(ask(&world, tag("../../branches/x")).await, Err(ForgeError::Permanent(_))));
    assert_eq!(world.server.lines().len(), 2);
}

fn protected(protection: &Value) -> Value {
    json!({ "name": "x", "protected": true, "protection": protection })
}

#[tokio::test]
async fn required_checks_of_a_branch() {
    let world = world().await;
    let line = |page: u32| format!("GET /repos/acme/shop/rules/branches/release%2F1.x?per_page=100&page={page}");
    let rule = |contexts: &[&str]| {
        let checks: Vec<Value> = contexts.iter().map(|c| json!({ "context": c, "integration_id": 1 })).collect();
        json!({ "type": "required_status_checks", "parameters": { "required_status_checks": checks } })
    };
    world
        .server
        .on(
            &line(1),
            answer(200, json!([{ "type": "deletion" }, rule(&["ci/build", "ci/test"])]))
                .with("link", "<https://x/?page=2>; rel=\"next\", <https://x/?page=2>; rel=\"last\""),
        )
        .on(&line(2), answer(200, json!([rule(&["e2e"]), { "type": "new", "parameters": 3 }])))
        .on(
            "GET /repos/acme/shop/branches/release%2F1.x",
            answer(
                200,
                protected(&json!({ "required_status_checks": {
            "contexts": ["e2e", "old", "lint"],
            "checks": [{ "context": "old", "app_id": 7 }, { "context": "lint", "app_id": -1 }],
        } })),
            ),
        )
        .on("GET /repos/acme/shop/rules/branches/plain?per_page=100&page=1", answer(200, json!([])))
        .on("GET /repos/acme/shop/branches/plain", answer(404, json!({ "message": "Branch not found" })))
        .on("GET /repos/acme/shop/rules/branches/hidden?per_page=100&page=1", answer(200, json!([])))
        .on("GET /repos/acme/shop/branches/hidden", answer(200, json!({ "name": "hidden", "protected": true })));
    let branch = |branch: &str| Need::RequiredChecks { branch: branch.to_owned() };
    let expected = [("ci/build", Some(1)), ("ci/test", Some(1)), ("e2e", Some(1)), ("old", Some(7)), ("lint", None)];
    let expected = expected.map(|(name, app)| RequiredCheck { name: name.to_owned(), source: app.map(CheckSource) });
    assert_eq!(ask(&world, branch("release/1.x")).await, Ok(Said::RequiredChecks(expected.into())));
    assert_eq!(ask(&world, branch("plain")).await, Ok(Said::RequiredChecks(BTreeSet::new())));
    assert!(ask(&world, branch("hidden")).await.is_err(), "protected, and nobody says how");
    for (status, name) in [(404, "gone"), (403, "secret")] {
        let line = format!("GET /repos/acme/shop/rules/branches/{name}?per_page=100&page=1");
        world.server.on(&line, answer(status, json!({ "message": "no" })));
        assert!(ask(&world, branch(name)).await.is_err(), "unavailable is not none");
    }
}

#[tokio::test]
async fn a_read_that_breaks_off_or_makes_no_sense_may_work_later() {
    for body in ["", "<html>", "{}", "[1"] {
        let world = world().await;
        let line = "GET /repos/acme/shop/commits/tags/v1?per_page=1";
        world.server.on(line, Answer { status: 200, headers: Vec::new(), body: body.to_owned() });
        let error = ask(&world, Need::TagCommit { tag: "v1".to_owned() }).await.unwrap_err();
        assert!(matches!(error, ForgeError::Transient(_)), "{body:?}: {error}");
    }
}
