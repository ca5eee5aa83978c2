//! Queries of gates to GitHub.

use std::collections::{BTreeMap, BTreeSet};

use phasebot::{
    domain::{
        event::{RunOutcome, Verdict},
        id::{Account, AccountId, Sha},
        needs::{Answer as Said, Authors, Need},
    },
    port::forge::{Forge, ForgeError},
};
use serde_json::json;

use super::server::{World, answer, target, world};

async fn ask(world: &World, need: Need) -> Result<Said, ForgeError> {
    world.github.answer(&target(), &need).await
}

fn on(world: &World, tail: &str, status: u16, body: serde_json::Value) {
    world.server.on(&format!("GET /repos/acme/shop{tail}"), answer(status, body));
}

fn sha(letter: &str) -> Sha {
    letter.repeat(40).parse().unwrap()
}

#[tokio::test]
async fn what_ran_on_a_commit() {
    let world = world().await;
    let a = sha("a");
    let run = json!({ "id": 1, "name": "ci", "head_sha": a, "status": "completed", "conclusion": "failure",
        "started_at": "2026-03-02T09:00:00Z", "completed_at": "2026-03-02T09:01:00Z", "app": { "id": 9 } });
    let ours =
        json!({ "id": 2, "name": "phasebot/release", "head_sha": a, "status": "in_progress", "app": { "id": 4711 } });
    let runs = json!({ "total_count": 2, "check_runs": [run, ours] });
    on(&world, &format!("/commits/{a}/check-runs?filter=latest&per_page=100&page=1"), 200, runs);
    let status = json!([{ "id": 3, "context": "jenkins", "state": "pending", "created_at": "2026-03-02T09:02:00Z" }]);
    on(&world, &format!("/commits/{a}/statuses?per_page=100&page=1"), 200, status);
    let Said::Checks { runs, statuses } = ask(&world, Need::Checks { sha: a.clone() }).await.unwrap() else { panic!() };
    assert_eq!(
        runs.iter().map(|run| (run.name.as_str(), run.ours)).collect::<Vec<_>>(),
        [("ci", false), ("phasebot/release", true)]
    );
    assert_eq!(runs[0].completed.map(|(_, outcome)| outcome), Some(RunOutcome::Failure));
    assert_eq!((statuses[0].context.as_str(), statuses[0].outcome), ("jenkins", RunOutcome::Running));
    on(
        &world,
        &format!("/commits/{}/check-runs?filter=latest&per_page=100&page=1", sha("f")),
        404,
        json!({ "message": "Not Found" }),
    );
    assert!(ask(&world, Need::Checks { sha: sha("f") }).await.is_err(), "unavailable is not none");
}

#[tokio::test]
async fn which_issues_block() {
    let world = world().await;
    let issues = json!([{ "number": 4 }, { "number": 5, "pull_request": {} }]);
    on(&world, "/issues?state=open&labels=release%20blocker&per_page=100&page=1", 200, issues.clone());
    let need = Need::OpenIssues { label: Some("release blocker".into()), milestone: None };
    assert_eq!(ask(&world, need).await, Ok(Said::OpenIssues([4].into())), "a pull request is no issue");
    on(&world, "/milestones?state=all&per_page=100&page=1", 200, json!([{ "number": 7, "title": "V1.0" }]));
    on(&world, "/issues?state=open&milestone=7&per_page=100&page=1", 200, issues);
    let of = |title: &str| Need::OpenIssues { label: None, milestone: Some(title.into()) };
    assert_eq!(ask(&world, of("v1.0")).await, Ok(Said::OpenIssues([4].into())));
    assert!(matches!(ask(&world, of("v2.0")).await, Err(ForgeError::NotFound(_))), "no milestone is not an empty list");
}

#[tokio::test]
async fn who_made_a_commit_and_signed_a_tag() {
    let world = world().await;
    let a = sha("a");
    let commit = json!({ "sha": a, "author": { "id": 7, "login": "ann" }, "committer": { "id": 9, "login": "web-flow" },
        "commit": { "message": "Add it\n\nCo-authored-by: C <11+cyd@users.noreply.github.com>" } });
    on(&world, &format!("/commits/{a}?per_page=1"), 200, commit);
    let account = |id: u64, login: &str| Account { id: Some(AccountId(id)), login: login.to_owned() };
    let people = BTreeSet::from([account(7, "ann"), account(11, "cyd")]);
    let by_a = Need::Authors { base: None, head: a.clone() };
    assert_eq!(ask(&world, by_a).await, Ok(Said::Authors(Authors { people, anonymous: None })));
    let b = sha("b");
    on(
        &world,
        &format!("/commits/{b}?per_page=1"),
        200,
        json!({ "sha": b, "author": {}, "committer": null, "commit": { "message": "" } }),
    );
    let by_b = Need::Authors { base: None, head: b.clone() };
    let nobody = Authors { people: [].into(), anonymous: Some(b.clone()) };
    assert_eq!(ask(&world, by_b).await, Ok(Said::Authors(nobody)));

    on(&world, "/git/ref/tags/v1", 200, json!({ "object": { "sha": b, "type": "tag" } }));
    on(&world, "/git/ref/tags/plain", 200, json!({ "object": { "sha": a, "type": "commit" } }));
    let tag = json!({ "verification": { "verified": true, "reason": "valid", "signature": "…" } });
    on(&world, &format!("/git/tags/{b}"), 200, tag);
    let signed = |tag: &str| Need::TagSignature { tag: tag.into() };
    assert_eq!(ask(&world, signed("v1")).await, Ok(Said::TagSignature { verified: true, reason: "valid".into() }));
    let Ok(Said::TagSignature { verified: false, .. }) = ask(&world, signed("plain")).await else { panic!() };
}

#[tokio::test]
async fn who_reviewed_what() {
    let world = world().await;
    let a = sha("a");
    let base = json!({ "ref": "main" });
    let pulls = json!([{ "number": 3, "merged_at": "2026-03-02T09:00:00Z", "base": base },
        { "number": 4, "merged_at": null, "base": base }]);
    on(&world, &format!("/commits/{a}/pulls?per_page=100&page=1"), 200, pulls);
    assert_eq!(
        ask(&world, Need::PullsOf { sha: a.clone() }).await,
        Ok(Said::BroughtBy([(3, "main".to_owned())].into()))
    );
    on(&world, "/pulls/3", 200, json!({ "user": { "id": 7, "login": "ann" }, "head": { "sha": a } }));
    let reviews = json!([
        { "id": 1, "user": { "id": 8, "login": "bob" }, "state": "APPROVED", "author_association": "MEMBER", "commit_id": a,
          "submitted_at": "2026-03-02T09:00:00Z" },
        { "id": 2, "user": { "login": "cyn" }, "state": "PENDING" },
    ]);
    on(&world, "/pulls/3/reviews?per_page=100&page=1", 200, reviews);
    let Said::Reviews { head, author, reviews, .. } = ask(&world, Need::Reviews { pull: 3 }).await.unwrap() else {
        panic!()
    };
    let ann = Account { id: Some(AccountId(7)), login: "ann".to_owned() };
    assert_eq!((head, author), (a.clone(), Some(ann)));
    let said: BTreeMap<u64, _> =
        reviews.into_iter().map(|(id, r)| (id, (r.reviewer.login, r.verdict, r.commit))).collect();
    assert_eq!(
        said,
        BTreeMap::from([(1, ("bob".to_owned(), Verdict::Approved, Some(a)))]),
        "what is not submitted is not there"
    );
}

#[tokio::test]
async fn which_tags_there_are() {
    let world = world().await;
    let a = sha("a");
    let tags = json!([{ "name": "v1.0.0", "commit": { "sha": a, "url": "…" } }]);
    on(&world, "/tags?per_page=100&page=1", 200, tags);
    assert_eq!(ask(&world, Need::Tags).await, Ok(Said::Tags([("v1.0.0".to_owned(), a.clone())].into())));
    on(&world, "/commits/heads/main?per_page=1", 200, json!({ "sha": a }));
    assert_eq!(ask(&world, Need::BranchHead { branch: "main".into() }).await, Ok(Said::BranchHead(a)));
}
