//! `phasebot catch-up` while the bot runs.

use std::sync::Arc;

use clap::Parser;
use phasebot::{cli::catch_up, port::clock::Clock};
use phasebot_forge_sim::{Fault, FaultKind, Matcher};

use super::world::World;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    args: catch_up::Args,
}

async fn run(world: &World, line: &str) -> Result<String, String> {
    let args = Line::parse_from(std::iter::once("catch-up").chain(line.split_whitespace())).args;
    let clock: Arc<dyn Clock> = world.clock.clone();
    let mut out = Vec::new();
    let done = catch_up::perform(&args, &world.open().await, &world.github(), &clock, &mut out).await;
    done.map(|()| String::from_utf8(out).unwrap()).map_err(|failure| failure.to_string())
}

#[tokio::test]
async fn it_takes_in_what_a_running_bot_then_decides() {
    let mut world = World::new().await;
    world.start(true).await;
    world.settle().await;
    let issue = world.person("bob").open_issue("Cart", "", &[]).unwrap().made;
    world.miss();
    assert_eq!(run(&world, "--since 24h").await.unwrap(), "github: 2 deliveries looked at, 1 taken in\n");
    world.minute().await;
    assert_eq!(world.labels(issue), ["phase/plan"]);
    let json = run(&world, "--format json").await.unwrap();
    assert!(json.contains(r#""taken":0"#), "{json}");
}

#[tokio::test]
async fn since_bounds_how_far_it_goes_back() {
    let world = World::new().await;
    world.miss();
    world.clock.advance(jiff::SignedDuration::from_hours(2));
    world.person("bob").open_issue("Cart", "", &[]).unwrap();
    world.miss();
    assert_eq!(run(&world, "--since 1h").await.unwrap(), "github: 1 deliveries looked at, 1 taken in\n");
    assert_eq!(run(&world, "").await.unwrap(), "github: 2 deliveries looked at, 1 taken in\n");
}

#[tokio::test]
async fn a_limit_breaks_it_off_and_what_was_taken_in_stays() {
    let world = World::new().await;
    let bob = world.person("bob");
    for n in 0..9 {
        bob.open_issue(&format!("Request {n}"), "", &[]).unwrap();
    }
    let missed = world.miss();
    let limit = FaultKind::RateLimit429 { retry_after: std::time::Duration::from_mins(1) };
    let one = Matcher::of("GET", "/app/hook/deliveries/{delivery_id}");
    world.forge.inject_after(6, Fault { matcher: one, kind: limit }, 1);
    let refused = run(&world, "").await.unwrap_err();
    assert!(refused.contains("limits us until") && refused.contains("run it again"), "{refused}");
    let again = run(&world, "").await.unwrap();
    assert!(again.starts_with(&format!("github: {missed} deliveries looked at,")), "{again}");
    assert_eq!(world.open().await.stats().await.unwrap().pending, missed as u64);
    assert!(world.asked("GET /app/hook/deliveries/{delivery_id}") < 2 * missed);
}
