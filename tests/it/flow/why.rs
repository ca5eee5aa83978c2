//! "Why did item #12 not move?", answered from the database while the bot runs.

use jiff::SignedDuration;
use phasebot::{
    cli::{deliveries, target::ItemRef, why},
    policy,
};
use phasebot_forge_sim::{FaultKind, MergeMethod};
use std::sync::Arc;

use super::{
    trouble::{LABELS_OF_ITEM, fault},
    world::{REPO, World},
};

async fn why(world: &World, item: &str) -> Result<String, String> {
    let args = why::Args { item: item.parse::<ItemRef>()?, format: phasebot::cli::Format::Text };
    let mut out = Vec::new();
    let policies = Arc::new(policy::built_in());
    let now = phasebot::port::clock::Clock::now(world.clock.as_ref());
    let done = why::perform(&args, world.store.as_ref(), &policies, (now, false), &mut out).await;
    done.map_err(|failure| failure.to_string())?;
    Ok(String::from_utf8(out).unwrap())
}

#[tokio::test]
async fn an_item_is_explained_from_the_database() {
    let world = World::new().await;
    let bob = world.person("bob");
    let issue = bob.open_issue("Cart", "", &[]).unwrap().made;
    world.minute().await;
    let pull = world.open_pull("feature/cart", &format!("Closes #{issue}"));
    world.minute().await;
    // GitHub rejects labels for a while.
    world.forge.inject(fault("POST", LABELS_OF_ITEM, FaultKind::Status502Before), 50);
    bob.merge_pull(pull, MergeMethod::Squash).unwrap();
    world.run(SignedDuration::from_secs(3)).await;

    let said = why(&world, &format!("{REPO}#{issue}")).await.unwrap();
    for part in [
        "  phase: build, since 2026-03-02T",
        &format!("#{pull} merged into `main`"),
        "next      `test` when",
        "\nHistory\n",
        ": #2 is open",
        "\nNot sent yet\n  put `phase/build` on  tried ",
        "\nDeliveries, newest first\n",
        "done         issues.opened",
        "done         pull_request.closed",
    ] {
        assert!(said.contains(part), "{part}:\n{said}");
    }
    // By its address, ignoring case.
    let same = why(&world, &format!("https://github.com/ACME/Shop/issues/{issue}")).await.unwrap();
    assert_eq!(same, said);
    let unknown = why(&world, &format!("{REPO}#999")).await.unwrap_err();
    assert!(unknown.contains("nothing is recorded of it") && unknown.contains("phasebot catch-up"), "{unknown}");
    let nowhere = why(&world, "acme/other#1").await.unwrap_err();
    assert!(nowhere.contains("no delivery named this repository yet"), "{nowhere}");
}

/// Deliveries are found by the repository's name, by an item, and by the forge's id.
#[tokio::test]
async fn deliveries_are_found_as_people_name_them() {
    #[derive(clap::Parser)]
    struct Line {
        #[command(subcommand)]
        verb: deliveries::Verb,
    }
    let world = World::new().await;
    let bob = world.person("bob");
    let first = bob.open_issue("Cart", "", &[]).unwrap().made;
    bob.open_issue("Till", "", &[]).unwrap();
    world.minute().await;
    let run = async |line: &str| {
        let words = std::iter::once("deliveries").chain(line.split_whitespace());
        let verb = <Line as clap::Parser>::try_parse_from(words).unwrap_or_else(|error| panic!("{error}")).verb;
        let mut out = Vec::new();
        deliveries::perform(&verb, world.store.as_ref(), &mut out).await.unwrap();
        String::from_utf8(out).unwrap()
    };
    let of_one = run(&format!("list --repository Acme/SHOP --item {first} --format json")).await;
    let rows: serde_json::Value = serde_json::from_str(&of_one).unwrap();
    let rows = rows.as_array().unwrap();
    assert!(rows.iter().any(|row| row["action"] == "opened"), "{of_one}");
    let all = run("list --repository acme/shop --format json").await;
    let all: serde_json::Value = serde_json::from_str(&all).unwrap();
    assert!(rows.len() < all.as_array().unwrap().len());
    let id = rows[0]["delivery"].as_str().unwrap();
    let shown = run(&format!("show {id}")).await;
    assert!(shown.contains(id), "{shown}");
    assert!(run(&format!("replay {id}")).await.ends_with("will be decided again\n"));
}
