//! Files of a change, and the jobs of a cancelled run.

use phasebot::{
    domain::{
        fact::paths::Paths,
        needs::{Answer as Said, Need},
    },
    port::forge::Forge,
};
use serde_json::{Value, json};

use super::server::{World, answer, target, world};

async fn ask(world: &World, need: Need) -> Said {
    world.github.answer(&target(), &need).await.unwrap()
}

fn paths(said: &Said) -> Option<Vec<String>> {
    match said {
        Said::Files(paths) => paths.as_ref().map(Paths::unpack),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_renamed_file_counts_under_both_names() {
    let world = world().await;
    let renamed = json!([
        { "filename": "web/new.rs", "status": "renamed", "previous_filename": "api/old.rs" },
        { "filename": "docs/a.md", "status": "added" },
    ]);
    world.server.on("GET /repos/acme/shop/pulls/7/files?per_page=100&page=1", answer(200, renamed.clone()));
    let commit = "c".repeat(40);
    let whole = json!({ "sha": commit, "files": renamed });
    world.server.on(&format!("GET /repos/acme/shop/commits/{commit}?per_page=100&page=1"), answer(200, whole));
    let expected = Some(["api/old.rs", "docs/a.md", "web/new.rs"].map(str::to_owned).to_vec());
    assert_eq!(paths(&ask(&world, Need::FilesOfPull { pull: 7 }).await), expected);
    let need = Need::FilesOfCommit { sha: commit.parse().unwrap() };
    assert_eq!(paths(&ask(&world, need).await), expected);
}

#[tokio::test]
async fn a_list_that_github_cuts_is_none() {
    let world = world().await;
    let page = |page: usize| -> Value {
        (0..100).map(|n| json!({ "filename": format!("f/{page}/{n}"), "status": "added" })).collect()
    };
    for number in 1..=30 {
        let line = format!("GET /repos/acme/shop/pulls/7/files?per_page=100&page={number}");
        let next = "<https://x/?page=9>; rel=\"next\"";
        let full = answer(200, page(number));
        world.server.on(&line, if number < 30 { full.with("link", next) } else { full });
    }
    assert_eq!(paths(&ask(&world, Need::FilesOfPull { pull: 7 }).await), None);
    assert_eq!(world.server.lines().iter().filter(|line| line.contains("/files")).count(), 30);
}

#[tokio::test]
async fn a_comparison_lists_up_to_three_hundred_files() {
    let world = world().await;
    let base = "a".repeat(40);
    let files = |count: usize| -> Value {
        let renamed = json!({ "filename": "web/new.rs", "status": "renamed", "previous_filename": "api/old.rs" });
        let more = (1..count).map(|n| json!({ "filename": format!("f/{n}"), "status": "added" }));
        std::iter::once(renamed).chain(more).collect()
    };
    let cases = [
        ("b", json!({ "status": "ahead", "commits": [], "files": files(1) }), true),
        ("c", json!({ "status": "ahead", "commits": [], "files": files(300) }), false),
        ("d", json!({ "status": "ahead", "commits": [] }), false),
    ];
    for (head, compared, is_told) in cases {
        let head = head.repeat(40);
        world
            .server
            .on(&format!("GET /repos/acme/shop/compare/{base}...{head}?per_page=1&page=1"), answer(200, compared));
        let need = Need::FilesBetween { base: base.parse().unwrap(), head: head.parse().unwrap() };
        let expected = is_told.then(|| ["api/old.rs", "web/new.rs"].map(str::to_owned).to_vec());
        assert_eq!(paths(&ask(&world, need).await), expected, "{head}");
    }
}

#[tokio::test]
async fn a_job_began_if_it_has_steps_or_ended_otherwise() {
    let began = |jobs: Value, total: u64| async move {
        let world = world().await;
        let line = "GET /repos/acme/shop/actions/runs/8/attempts/1/jobs?per_page=100";
        world.server.on(line, answer(200, json!({ "total_count": total, "jobs": jobs })));
        ask(&world, Need::AnyJobBegan { run: 8, attempt: 1 }).await
    };
    let job = |conclusion: &str, steps: Value| json!({ "name": "deploy", "conclusion": conclusion, "steps": steps });
    let step = json!([{ "name": "Set up job", "number": 1, "conclusion": "cancelled" }]);
    assert_eq!(began(json!([]), 0).await, Said::AnyJobBegan(false));
    let waited = json!([job("cancelled", json!([])), job("skipped", json!([]))]);
    assert_eq!(began(waited.clone(), 2).await, Said::AnyJobBegan(false));
    assert_eq!(began(waited, 101).await, Said::AnyJobBegan(true), "those that are not listed may have");
    assert_eq!(began(json!([job("cancelled", step)]), 1).await, Said::AnyJobBegan(true));
    assert_eq!(began(json!([job("success", json!([]))]), 1).await, Said::AnyJobBegan(true));
}
