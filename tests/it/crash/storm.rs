//! Many issues at once: the deliveries of half of the repositories arrive in any order, one request
//! in twenty fails, and the program is killed with `kill -9` at random times.
//!
//! `scripts/storm` runs a large one. A printed seed repeats the same choices, but not the timing of
//! the machine.

use std::time::{Duration, Instant};

use phasebot::app::crash::POINTS;
use rand::{RngExt, SeedableRng, rngs::StdRng};

use super::{
    checker::{in_order, nothing_is_made_twice},
    plot::{Plot, Ship, Story, Talk, Trouble, Via, Way},
    report::Report,
    weather::rough,
    world::World,
};

/// Maximum number of installations; GitHub's limit of one write a second applies to each.
const INSTALLATIONS: usize = 40;
/// Minimum number of deliveries of one installation that do not belong to a story with labels.
const OTHER_EVENTS: usize = 60;
/// Number of deliveries of one story, including those of our own labels.
const EVENTS: usize = 18;
/// Number of deliveries sent in parallel.
const AT_ONCE: usize = 8;
/// Maximum time between two kills, in milliseconds.
const LONGEST_LIFE: u64 = 1500;
/// Time-out of the whole storm.
const PATIENCE: Duration = Duration::from_mins(30);

/// Size of a storm.
struct Size {
    /// Approximate number of deliveries.
    events: usize,
    /// Number of kills.
    kills: usize,
    /// Lets the forge also fail in ways that take half a minute or more to recover from.
    slow_faults: bool,
    seed: u64,
}

async fn storm(size: Size) {
    println!("storm of {} events and {} kills, STORM_SEED={}", size.events, size.kills, size.seed);
    let mut random = StdRng::seed_from_u64(size.seed);
    let mut world = World::new().await;
    let (installations, stories) = shape(size.events);
    let mut plots = Vec::new();
    for n in 0..installations {
        plots.extend(company(&mut world, n, stories, !size.slow_faults));
    }
    let acts_between_kills = (plots.len() * 3 / size.kills.max(1)).max(1);
    let mut live: Vec<usize> = (0..plots.len()).collect();
    let mut kills = 0;
    world.repeats = true;
    world.sim.weather(rough(size.seed, size.slow_faults));
    world.start(None).await;
    let begun = Instant::now();
    while !live.is_empty() || kills < size.kills {
        assert!(begun.elapsed() < PATIENCE, "{} plots have no end", live.len());
        for _ in 0..acts_between_kills {
            if live.is_empty() {
                break;
            }
            let chosen = random.random_range(0..live.len());
            let plot = &mut plots[live[chosen]];
            let goes_on = plot.go_on();
            world.notices.extend(plot.notices());
            if !goes_on {
                live.swap_remove(chosen);
            }
        }
        world.shuffle(|below| random.random_range(0..below));
        let lifetime = Duration::from_millis(random.random_range(0..LONGEST_LIFE));
        let dies = kills < size.kills;
        if dies && random.random_bool(0.3) {
            let point = POINTS[random.random_range(0..POINTS.len())];
            world.dies_at = Some(format!("{point}:{}", random.random_range(1..6)));
        }
        world.live(lifetime, dies, AT_ONCE).await;
        kills += usize::from(dies);
    }
    world.sim.clear_faults();
    world.dies_at = None;
    world.repeats = false;
    world.quiet().await;
    world.nothing_is_lost().await;
    assert!(world.repeated > 0, "no delivery came twice");
    for plot in &plots {
        plot.check(&world.sim);
    }
    let made = nothing_is_made_twice(&world.sim);
    in_order(&world.program.database_url).await;
    Report { installations, plots: plots.len(), kills, made, seed: size.seed }.print(&world).await;
}

/// Returns the number of installations, and of stories with labels in each, for about this number
/// of deliveries.
pub fn shape(events: usize) -> (usize, usize) {
    let installations = (events / 150).clamp(1, INSTALLATIONS);
    let stories = (events / installations).saturating_sub(OTHER_EVENTS) / EVENTS;
    (installations, stories.max(1))
}

/// Creates the plots of one installation: stories with labels, commands, alerts, and deployments in
/// a repository of their own. `answers`: the forge answers every query within seconds.
pub fn company(world: &mut World, n: usize, stories: usize, answers: bool) -> Vec<Box<dyn Plot>> {
    let (shop, site) = (format!("company-{n}/shop"), format!("company-{n}/site"));
    let (person, installation) = world.repository(&shop);
    let way = if n.is_multiple_of(2) { Way::Forward } else { Way::Any };
    if way == Way::Forward {
        world.orderly.insert(person.repo());
    }
    let mut plots: Vec<Box<dyn Plot>> = Vec::new();
    for s in 0..stories {
        plots.push(Box::new(Story::new(&person, &shop, &format!("wish {n}.{s}"), way)));
    }
    plots.push(Box::new(Talk::new(&person, &shop, &format!("talk {n}"), answers)));
    let connection = format!("company{n}");
    for group in ["Slow", "Down"] {
        plots.push(Box::new(Trouble::new(&world.sim, &connection, &shop, &format!("{group}{n}"))));
    }
    world.program.alerts.push((connection, shop));
    let shipper = world.add_repository(installation, &site);
    let via = if n.is_multiple_of(2) { Via::Deployment } else { Via::Workflow };
    plots.push(Box::new(Ship::new(&world.sim, &shipper, &site, via, 2)));
    plots
}

pub fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{variable} is not a number")))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_small_storm() {
    let seed = number("STORM_SEED").unwrap_or_else(rand::random);
    storm(Size { events: 300, kills: 6, slow_faults: false, seed }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes: scripts/storm runs it"]
async fn a_large_storm() {
    let size = |name, usual| usize::try_from(number(name).unwrap_or(usual)).unwrap();
    let seed = number("STORM_SEED").unwrap_or_else(rand::random);
    storm(Size { events: size("STORM_EVENTS", 12_000), kills: size("STORM_KILLS", 200), slow_faults: true, seed })
        .await;
}
