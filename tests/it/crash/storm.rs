//! Many issues at once, half of the repositories' deliveries in any order, and
//! `kill -9` at random moments.
//!
//! `scripts/storm` runs a large one. A seed that was printed replays the same
//! choices; the moments at which the machine does what stay its own.

use std::time::Duration;

use phasebot::sim::{Fault, FaultKind, Matcher};
use rand::{RngExt, SeedableRng, rngs::StdRng};

use super::{
    story::{Story, Way, labels_made_once},
    world::World,
};

/// Issues of each repository, which has an installation of its own: GitHub's
/// pace of one write a second holds for each.
const STORIES: usize = 3;
/// Deliveries of one story, those of our own labels included.
const EVENTS: usize = 18;
/// Deliveries on their way side by side.
const AT_ONCE: usize = 8;
/// Longest life between two kills.
const LONGEST_LIFE: u64 = 1500;

/// What goes wrong on the forge's side meanwhile, now and then.
const FAULTS: [FaultKind; 6] = [
    FaultKind::Status502Before,
    FaultKind::Status502AfterApply,
    FaultKind::ResetBefore,
    FaultKind::ResetAfterApply,
    FaultKind::SecondaryLimit403,
    FaultKind::RateLimit429 { retry_after: Duration::from_secs(1) },
];

/// How large a storm.
struct Size {
    /// Deliveries, about.
    events: usize,
    /// Kills.
    kills: usize,
    /// Let requests to the forge fail as well.
    faults: bool,
    seed: u64,
}

async fn storm(size: Size) {
    println!("storm of {} events and {} kills, STORM_SEED={}", size.events, size.kills, size.seed);
    let mut random = StdRng::seed_from_u64(size.seed);
    let mut world = World::new().await;
    let repositories = (size.events / EVENTS / STORIES).max(1);
    let (mut stories, mut ways) = (Vec::new(), Vec::new());
    for n in 0..repositories {
        let name = format!("company-{n}/shop");
        let (person, _) = world.repository(&name);
        let way = if n % 2 == 0 { Way::Forward } else { Way::Any };
        if way == Way::Forward {
            world.orderly.insert(person.repo());
        }
        for s in 0..STORIES {
            stories.push(Story::new(&person, &name, &format!("wish {n}.{s}")));
            ways.push(way);
        }
    }
    let acts_between_kills = (stories.len() * 3 / size.kills.max(1)).max(1);
    let mut live: Vec<usize> = (0..stories.len()).collect();
    let mut kills = 0;
    world.start(None).await;
    while !live.is_empty() || kills < size.kills {
        for _ in 0..acts_between_kills {
            if live.is_empty() {
                break;
            }
            let chosen = random.random_range(0..live.len());
            if !stories[live[chosen]].go_on() {
                live.swap_remove(chosen);
            }
        }
        if size.faults && random.random_bool(0.3) {
            let kind = FAULTS[random.random_range(0..FAULTS.len())];
            world.sim.inject(Fault { matcher: Matcher::any(), kind }, 1);
        }
        world.shuffle(|below| random.random_range(0..below));
        let lifetime = Duration::from_millis(random.random_range(0..LONGEST_LIFE));
        let dies = kills < size.kills;
        world.live(lifetime, dies, AT_ONCE).await;
        kills += usize::from(dies);
    }
    world.sim.clear_faults();
    world.quiet().await;
    world.nothing_is_lost();
    for (story, way) in stories.iter().zip(ways) {
        story.check(&world.sim, way);
    }
    labels_made_once(&world.sim);
    println!(
        "{} starts, {} deliveries, {} stories: nothing lost, nothing repeated",
        world.starts,
        world.sim.deliveries().len(),
        stories.len()
    );
}

pub fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{variable} is not a number")))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_small_storm() {
    let seed = number("STORM_SEED").unwrap_or_else(rand::random);
    storm(Size { events: 200, kills: 6, faults: false, seed }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes: scripts/storm runs it"]
async fn a_large_storm() {
    let size = |name, usual| usize::try_from(number(name).unwrap_or(usual)).unwrap();
    let seed = number("STORM_SEED").unwrap_or_else(rand::random);
    storm(Size { events: size("STORM_EVENTS", 10_000), kills: size("STORM_KILLS", 200), faults: true, seed }).await;
}
