//! Calls every route once, and checks each exchange against GitHub's description.

use std::{collections::BTreeSet, process::Command};

use phasebot_forge_sim::{MergeMethod, NewCommit, NewDeployment, NewPull, NewRelease, routes};
use reqwest::Method;
use serde_json::{Value, json};

use super::{REPO, World};
use crate::openapi::{check_exchange, check_response, corpora};

/// Objects of every kind, in `acme/shop`.
struct Filled {
    issue: u64,
    pull: u64,
    comment: u64,
    check: u64,
    deployment: u64,
    release: u64,
    run: u64,
    failed_run: u64,
    milestone: u64,
    head: String,
}

fn fill(world: &World) -> Filled {
    let bob = world.person("bob");
    world.sim.set_role(REPO, "bob", "maintain").unwrap();
    let issue = bob.open_issue("Cart is empty", "It was full.", &["bug"]).unwrap().made;
    let policy = NewCommit {
        message: "Keep the cart\n\nLong words.".to_owned(),
        files: vec![(".github/phasebot.yml".to_owned(), Some("version: 1\n".to_owned()))],
    };
    bob.push("12-cart", &[policy, "Second".into()]).unwrap();
    bob.link_branch(issue, "12-cart").unwrap();
    let new = NewPull {
        head: "12-cart".to_owned(),
        title: "Keep the cart".to_owned(),
        body: format!("Fixes #{issue}"),
        ..NewPull::default()
    };
    let pull = bob.open_pull(&new).unwrap().made;
    let fork = bob.colleague("mallory");
    fork.push("mallory:fix", &["From a fork".into()]).unwrap();
    fork.open_pull(&NewPull { head: "mallory:fix".to_owned(), title: "Fork".to_owned(), ..NewPull::default() })
        .unwrap();
    let head = world.sim.commit_of(REPO, "12-cart").unwrap();
    bob.status(&head, "ci/jenkins", "success").unwrap();
    bob.tag("v1.0.0", "main").unwrap();
    let release =
        bob.release(&NewRelease { tag: "v1.1.0".to_owned(), draft: true, ..NewRelease::default() }).unwrap().made;
    bob.release(&NewRelease { tag: "v1.0.0".to_owned(), name: Some("One".to_owned()), ..NewRelease::default() })
        .unwrap();
    let new = NewDeployment {
        reference: "main".to_owned(),
        environment: "production".to_owned(),
        ..NewDeployment::default()
    };
    let deployment = bob.deployment(&new).unwrap().made;
    bob.deployment_status(deployment, "in_progress").unwrap();
    world.sim.require_checks(REPO, "main", &["build"]).unwrap();
    world.sim.protect_branch(REPO, "main", &[("e2e", Some(15368)), ("lint", None)]).unwrap();
    world.sim.add_to_team("acme/sre", "bob");
    let failed_run = bob.start_run(".github/workflows/ci.yml", "main", "push").unwrap().made;
    bob.complete_run(failed_run, "failure").unwrap();
    Filled {
        issue,
        pull,
        comment: bob.comment(issue, "Me too").unwrap().made,
        check: bob.colleague("github-actions").start_check(&head, "build").unwrap().made,
        deployment,
        release,
        failed_run,
        milestone: world.sim.add_milestone(REPO, "Sprint 5").unwrap(),
        run: bob.start_run(".github/workflows/deploy.yml", "main", "push").unwrap().made,
        head,
    }
}

#[tokio::test]
async fn every_route_answers_as_github_describes_it() {
    let world = World::new().await;
    let f = fill(&world);
    world.sim.set_webhook_url("http://127.0.0.1:1/");
    world.sim.deliver_pending().await;
    let (repo, issue) = (format!("/repos/{REPO}"), f.issue);

    let conditions = json!({ "ref_name": { "include": ["refs/tags/v*"], "exclude": [] } });
    let rules = json!([{ "type": "required_status_checks", "parameters": {
        "required_status_checks": [{ "context": "phasebot/release", "integration_id": super::APP }],
        "strict_required_status_checks_policy": false,
    } }]);
    world.sim.person("bob", REPO).unwrap().annotated_tag("v2.0.0", "main", true).unwrap();
    world.sim.take_pending();
    let (_, tag) = world.get(&format!("{repo}/git/ref/tags/v2.0.0")).await;
    assert_eq!(tag["object"]["type"], "tag");
    let ruleset = world.sim.add_ruleset(REPO, "Releases", "tag", "active", &conditions, &rules).unwrap();
    world.sim.set_environment(REPO, "production", true).unwrap();

    for path in [
        "/app",
        "/app/installations",
        "/app/hook/config",
        "/app/hook/deliveries?per_page=5",
        &format!("{repo}/installation"),
    ] {
        assert_eq!(world.app(Method::GET, path, None).await.0, 200, "{path}");
    }
    let (_, deliveries) = world.app(Method::GET, "/app/hook/deliveries", None).await;
    let delivery = format!("/app/hook/deliveries/{}", deliveries[0]["id"]);
    assert_eq!(world.app(Method::GET, &delivery, None).await.0, 200);
    assert_eq!(world.app(Method::POST, &format!("{delivery}/attempts"), None).await.0, 202);
    assert_eq!(world.app(Method::GET, &format!("/app/installations/{}", world.installation), None).await.0, 200);
    world.new_token(json!({ "repositories": ["shop"] })).await;

    for path in [
        "/installation/repositories".to_owned(),
        "/rate_limit".to_owned(),
        repo.clone(),
        format!("{repo}/labels"),
        format!("{repo}/labels/bug"),
        format!("{repo}/issues?state=all&sort=updated&direction=asc&per_page=100"),
        format!("{repo}/issues/{issue}"),
        format!("{repo}/issues/{}", f.pull),
        format!("{repo}/issues/{issue}/labels"),
        format!("{repo}/issues/{issue}/comments?per_page=100&page=1"),
        format!("{repo}/issues/comments/{}", f.comment),
        format!("{repo}/pulls"),
        format!("{repo}/pulls/{}", f.pull),
        format!("{repo}/pulls/{}", f.pull + 1),
        format!("{repo}/compare/main...12-cart?per_page=100&page=1"),
        format!("{repo}/commits?sha=12-cart&per_page=1"),
        format!("{repo}/commits/tags%2Fv1.0.0"),
        format!("{repo}/commits/{}", f.head),
        format!("{repo}/git/ref/tags/v1.0.0"),
        format!("{repo}/git/tags/{}", tag["object"]["sha"].as_str().unwrap()),
        format!("{repo}/git/matching-refs/heads"),
        format!("{repo}/pulls/{}/reviews", f.pull),
        format!("{repo}/pulls/{}/files", f.pull),
        format!("{repo}/commits/{}/pulls", f.head),
        format!("{repo}/commits/{}/branches-where-head", f.head),
        format!("{repo}/tags"),
        format!("{repo}/commits/{}/check-runs?filter=latest", f.head),
        format!("{repo}/check-runs/{}", f.check),
        format!("{repo}/commits/12-cart/status"),
        format!("{repo}/commits/12-cart/statuses"),
        format!("{repo}/deployments?environment=production"),
        format!("{repo}/deployments/{}", f.deployment),
        format!("{repo}/deployments/{}/statuses", f.deployment),
        format!("{repo}/collaborators/bob/permission"),
        format!("{repo}/rules/branches/main"),
        format!("{repo}/branches/main"),
        format!("{repo}/rulesets?targets=tag&per_page=100"),
        format!("{repo}/rulesets/{ruleset}"),
        format!("{repo}/environments/production/deployment_protection_rules"),
        format!("{repo}/releases"),
        format!("{repo}/releases/{}", f.release),
        format!("{repo}/releases/tags/v1.0.0"),
        format!("{repo}/contents/.github/phasebot.yml?ref=12-cart"),
        format!("{repo}/contents/.github?ref=12-cart"),
        format!("{repo}/actions/runs?event=push"),
        format!("{repo}/actions/runs/{}", f.run),
        format!("{repo}/actions/runs/{}/attempts/1/jobs", f.run),
        format!("{repo}/actions/workflows/deploy.yml/runs"),
        format!("{repo}/milestones?state=open"),
        "/orgs/acme/teams/sre/memberships/bob".to_owned(),
    ] {
        let (status, body) = world.get(&path).await;
        assert_eq!(status, 200, "{path}: {body}");
    }
    let (_, asked) = world.get(&format!("{repo}/collaborators/bob/permission")).await;
    let (status, bob) = world.get(&format!("/user/{}", asked["user"]["id"])).await;
    assert_eq!((status, &bob["login"]), (200, &json!("bob")));

    let output = json!({ "title": "Blocked", "summary": "1 of 2" });
    let (_, check) = world
        .post(
            &format!("{repo}/check-runs"),
            json!({ "name": "phasebot/release", "head_sha": f.head, "output": output }),
        )
        .await;
    let query = "query($o:String!,$n:String!,$pr:Int!){repository(owner:$o,name:$n){pullRequest(number:$pr){closingIssuesReferences(first:10){nodes{number}}}}}";
    let variables = json!({ "o": "acme", "n": "shop", "pr": f.pull });
    for (method, path, body, expected) in [
        (
            "POST",
            format!("{repo}/labels"),
            json!({ "name": "phase/plan", "color": "0072b2", "description": "Planned" }),
            201,
        ),
        ("PATCH", format!("{repo}/labels/phase%2Fplan"), json!({ "color": "ffffff" }), 200),
        ("POST", format!("{repo}/issues/{issue}/labels"), json!({ "labels": ["phase/plan"] }), 200),
        ("DELETE", format!("{repo}/issues/{issue}/labels/phase%2Fplan"), Value::Null, 200),
        ("DELETE", format!("{repo}/labels/phase%2Fplan"), Value::Null, 204),
        ("POST", format!("{repo}/issues"), json!({ "title": "Alert", "body": "text", "labels": ["feedback"] }), 201),
        ("PATCH", format!("{repo}/issues/{issue}"), json!({ "state": "closed", "state_reason": "completed" }), 200),
        ("POST", format!("{repo}/issues/{issue}/comments"), json!({ "body": "Hello" }), 201),
        ("PATCH", format!("{repo}/issues/comments/{}", f.comment), json!({ "body": "Changed" }), 200),
        ("POST", format!("{repo}/issues/comments/{}/reactions", f.comment), json!({ "content": "eyes" }), 201),
        ("POST", format!("{repo}/issues/comments/{}/reactions", f.comment), json!({ "content": "eyes" }), 200),
        (
            "PATCH",
            format!("{repo}/check-runs/{}", check["id"]),
            json!({ "status": "completed", "conclusion": "success" }),
            200,
        ),
        ("POST", format!("{repo}/statuses/{}", f.head), json!({ "state": "pending", "context": "phasebot" }), 201),
        (
            "POST",
            format!("{repo}/deployments"),
            json!({ "ref": "main", "required_contexts": [], "auto_merge": false, "environment": "staging" }),
            201,
        ),
        ("POST", format!("{repo}/deployments/{}/statuses", f.deployment), json!({ "state": "success" }), 201),
        ("POST", format!("{repo}/releases"), json!({ "tag_name": "v2.0.0-rc.1", "prerelease": true }), 201),
        ("PATCH", format!("{repo}/releases/{}", f.release), json!({ "draft": false }), 200),
        (
            "POST",
            format!("{repo}/actions/workflows/deploy.yml/dispatches"),
            json!({ "ref": "main", "inputs": { "region": "eu" } }),
            204,
        ),
        (
            "POST",
            format!("{repo}/actions/workflows/deploy.yml/dispatches"),
            json!({ "ref": "main", "return_run_details": true }),
            200,
        ),
        ("POST", format!("{repo}/issues/{issue}/assignees"), json!({ "assignees": ["bob", "nobody"] }), 201),
        ("PATCH", format!("{repo}/issues/{issue}"), json!({ "milestone": f.milestone }), 200),
        ("PATCH", format!("{repo}/issues/{issue}"), json!({ "milestone": null }), 200),
        ("POST", format!("{repo}/actions/runs/{}/rerun-failed-jobs", f.failed_run), json!({}), 201),
        (
            "POST",
            format!("{repo}/actions/runs/{}/deployment_protection_rule", f.run),
            json!({ "environment_name": "production", "state": "approved", "comment": "ok" }),
            204,
        ),
        ("POST", format!("{repo}/actions/runs/{}/cancel", f.run), Value::Null, 202),
        ("POST", "/graphql".to_owned(), json!({ "query": query, "variables": variables }), 200),
    ] {
        let (status, answer) = world.call(method, &path, Some(body).filter(|b| !b.is_null())).await;
        assert_eq!(status, expected, "{method} {path}: {answer}");
    }

    // With a person's own token.
    let token = format!("Bearer {}", world.sim.new_person_token("bob"));
    for path in ["/user".to_owned(), "/user/installations".to_owned(), repo.clone()] {
        assert_eq!(world.send(Method::GET, &path, &token, None).await.status().as_u16(), 200, "{path}");
    }
    let found: Value = world.send(Method::GET, "/user/installations", &token, None).await.json().await.unwrap();
    let path = format!("/user/installations/{}/repositories", found["installations"][0]["id"]);
    let found: Value = world.send(Method::GET, &path, &token, None).await.json().await.unwrap();
    assert_eq!((&found["total_count"], &found["repositories"][0]["full_name"]), (&json!(1), &json!(REPO)));
    let token = format!("Bearer {}", world.sim.new_person_token("mallory"));
    let found: Value = world.send(Method::GET, &path, &token, None).await.json().await.unwrap();
    assert_eq!(found["total_count"], 0);

    // Last: the new App replaces ours.
    let code = world.registered("https://bot.example/webhooks/github").await;
    let path = format!("/app-manifests/{code}/conversions");
    let answer = world.send(Method::POST, &path, "", None).await;
    assert_eq!(answer.status().as_u16(), 201);
    let again = world.send(Method::POST, &path, "", None).await;
    assert_eq!(again.status().as_u16(), 404, "a code works once");

    let requests = world.sim.requests();
    let faults: Vec<String> = requests.iter().filter_map(|e| check_exchange(e).err()).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    let driven: BTreeSet<String> = requests.iter().map(phasebot_forge_sim::Exchange::name).collect();
    assert_eq!(driven, routes().into_iter().collect());
    assert_eq!(world.sim.protection_answers(REPO).len(), 1);
}

#[tokio::test]
async fn errors_have_githubs_shape() {
    let world = World::new().await;
    let f = fill(&world);
    let gone = world.person("bob").open_issue("Spam", "", &[]).unwrap().made;
    world.person("bob").delete_issue(gone).unwrap();
    let repo = format!("/repos/{REPO}");
    for (method, path, body, expected) in [
        ("GET", format!("{repo}/issues/999"), Value::Null, 404),
        ("GET", format!("{repo}/issues/{gone}"), Value::Null, 410),
        ("POST", format!("{repo}/issues/{gone}/comments"), json!({ "body": "x" }), 410),
        ("DELETE", format!("{repo}/issues/{}/labels/nope", f.issue), Value::Null, 404),
        ("POST", format!("{repo}/labels"), json!({ "name": "BUG" }), 422),
        ("POST", format!("{repo}/labels"), json!({ "name": "x", "color": "#fff" }), 422),
        ("POST", format!("{repo}/labels"), json!({ "name": "x", "description": "y".repeat(101) }), 422),
        ("POST", format!("{repo}/issues"), json!({ "body": "no title" }), 422),
        ("GET", format!("{repo}/compare/main...nowhere"), Value::Null, 404),
        ("GET", format!("{repo}/commits/nowhere"), Value::Null, 422),
        ("GET", format!("{repo}/contents/nothing.txt"), Value::Null, 404),
        ("PATCH", format!("{repo}/check-runs/{}", f.check), json!({ "status": "in_progress" }), 403),
        ("POST", format!("{repo}/deployments"), json!({ "ref": "12-cart" }), 409),
        ("POST", format!("{repo}/releases"), json!({ "tag_name": "v1.0.0" }), 422),
        ("GET", "/repos/acme/other".to_owned(), Value::Null, 404),
    ] {
        let (status, answer) = world.call(method, &path, Some(body).filter(|b| !b.is_null())).await;
        assert_eq!(status, expected, "{method} {path}: {answer}");
        assert!(answer["message"].is_string(), "{answer}");
    }
    for exchange in world.sim.requests() {
        check_response(&exchange).unwrap();
    }
}

#[tokio::test]
async fn a_request_that_github_would_not_understand_is_found() {
    let world = World::new().await;
    world.post(&format!("/repos/{REPO}/issues"), json!({ "title": "x", "lables": [] })).await;
    world.get(&format!("/repos/{REPO}/issues?per_page=many")).await;
    world.get(&format!("/repos/{REPO}/issues?perpage=5")).await;
    world.post(&format!("/repos/{REPO}/issues"), json!({ "title": ["x"] })).await;
    world.get(&format!("/repos/{REPO}/stargazers")).await;
    let found: Vec<String> = world.sim.requests().iter().map(|e| check_exchange(e).unwrap_err()).collect();
    assert_eq!(found.len(), 5);
    assert!(found[0].contains("lables is unknown") && found[1].contains("per_page") && found[2].contains("perpage"));
    let mut exchange = world.sim.requests().remove(0);
    exchange.request = Some(json!({ "title": "x" }));
    check_exchange(&exchange).unwrap();
    exchange.response.as_mut().unwrap()["closed_at"] = json!("yesterday");
    assert!(check_exchange(&exchange).unwrap_err().contains("closed_at"));
}

#[tokio::test]
async fn lists_are_paged_by_links() {
    let world = World::new().await;
    let bob = world.person("bob");
    let issue = bob.open_issue("Long", "", &[]).unwrap().made;
    for n in 0..5 {
        bob.comment(issue, &format!("comment {n}")).unwrap();
    }
    bob.push("long", &(0..300).map(|n| format!("commit {n}").into()).collect::<Vec<_>>()).unwrap();
    let mut seen = Vec::new();
    let mut next = Some(format!("/repos/{REPO}/issues/{issue}/comments?per_page=2"));
    while let Some(path) = next.take() {
        let response = world.send(Method::GET, &path, &format!("Bearer {}", world.token), None).await;
        let link = response.headers().get("link").map_or("", |l| l.to_str().unwrap()).to_owned();
        let page: Value = response.json().await.unwrap();
        seen.extend(page.as_array().unwrap().iter().map(|c| c["body"].as_str().unwrap().to_owned()));
        next = link
            .split(", ")
            .find(|l| l.ends_with("rel=\"next\""))
            .map(|l| l[1..l.find('>').unwrap()].replace(&world.sim.api_url(), ""));
        assert!(next.as_ref().is_none_or(|n| n.starts_with("/repositories/")), "{link}");
    }
    assert_eq!(seen, (0..5).map(|n| format!("comment {n}")).collect::<Vec<_>>());

    let (_, second) = world.get(&format!("/repos/{REPO}/compare/main...long?per_page=100&page=3")).await;
    assert_eq!(second["total_commits"], 300);
    assert_eq!(second["commits"][99]["commit"]["message"], "commit 299");
    let (_, whole) = world.get(&format!("/repos/{REPO}/compare/main...long")).await;
    assert_eq!(whole["commits"].as_array().unwrap().len(), 250);
    for exchange in world.sim.requests() {
        check_exchange(&exchange).unwrap();
    }
}

#[tokio::test]
async fn merges_leave_the_history_that_github_leaves() {
    let world = World::new().await;
    let bob = world.person("bob");
    let mut base = world.sim.commit_of(REPO, "main").unwrap();
    for (method, parents, ahead) in
        [(MergeMethod::Merge, 2, 3), (MergeMethod::Squash, 1, 1), (MergeMethod::Rebase, 1, 2)]
    {
        let branch = format!("work-{parents}-{ahead}");
        bob.push(&branch, &["one".into(), "two".into()]).unwrap();
        let pull =
            bob.open_pull(&NewPull { head: branch, title: "Work".to_owned(), ..NewPull::default() }).unwrap().made;
        let sha = bob.merge_pull(pull, method).unwrap().made;
        let (_, commit) = world.get(&format!("/repos/{REPO}/commits/{sha}")).await;
        assert_eq!(commit["parents"].as_array().unwrap().len(), parents, "{method:?}");
        let (_, compared) = world.get(&format!("/repos/{REPO}/compare/{base}...main")).await;
        assert_eq!(compared["ahead_by"], ahead, "{method:?}");
        let (_, shown) = world.get(&format!("/repos/{REPO}/pulls/{pull}")).await;
        assert_eq!((&shown["merged"], &shown["merge_commit_sha"]), (&json!(true), &json!(sha)));
        base = sha;
    }
}

/// The subset equals GitHub's published description. Needs the package and Python.
#[test]
fn the_vendored_description_is_githubs() {
    if !corpora().join("node_modules/@octokit/openapi").exists() {
        eprintln!("SKIPPED: @octokit/openapi is not in {}", corpora().display());
        return;
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/vendor-openapi");
    match Command::new(script).arg("--check").output() {
        Ok(output) => assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr)),
        Err(error) => eprintln!("SKIPPED: {script} can't be run: {error}"),
    }
}
