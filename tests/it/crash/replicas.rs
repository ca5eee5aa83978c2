//! Three replicas on one PostgreSQL, killed, or stopped for longer than their leases last, while
//! events arrive.
//!
//! No acknowledged delivery is lost, nothing that people see is repeated, and each repository's
//! deliveries are processed in order, whichever replica processes them.

use std::time::{Duration, Instant};

use rand::{RngExt, SeedableRng, rngs::StdRng};

use super::{
    checker::{in_order, nothing_is_made_twice},
    process::Running,
    storm::{company, number, shape},
    world::World,
};
use crate::support::postgres::PostgresDatabase;

/// Number of deliveries sent in parallel.
const AT_ONCE: usize = 16;
/// Time that a replica is stopped: longer than its leases.
const STOPPED_FOR: Duration = Duration::from_secs(18);

struct Size {
    replicas: usize,
    events: usize,
    /// Number of replicas that are killed, and that are stopped.
    kills: usize,
    stops: usize,
    /// Interval between kills or stops.
    every: Duration,
    seed: u64,
}

/// The replicas; `None`: stopped now, and kept separately.
struct Replicas {
    live: Vec<Running>,
    stopped: Vec<(Running, Instant)>,
}

impl Replicas {
    /// Continues replicas that were stopped for long enough, and directs the forge to a live one.
    fn turn(&mut self, world: &mut World, turn: usize) {
        let (on, still): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.stopped).into_iter().partition(|(_, at)| at.elapsed() >= STOPPED_FOR);
        self.stopped = still;
        for (running, _) in on {
            running.go_on();
            self.live.push(running);
        }
        world.deliver_to(self.live[turn % self.live.len()].address);
    }

    fn all_go_on(&mut self) {
        for (running, _) in self.stopped.drain(..) {
            running.go_on();
            self.live.push(running);
        }
    }
}

async fn storm(size: Size) {
    println!(
        "{} replicas, {} events, {} kills, {} stops, STORM_SEED={}",
        size.replicas, size.events, size.kills, size.stops, size.seed
    );
    let mut random = StdRng::seed_from_u64(size.seed);
    let database = PostgresDatabase::new().await;
    let mut world = World::on(database.url.clone()).await;
    world.repeats = true;
    let (installations, stories) = shape(size.events);
    let mut plots = Vec::new();
    for n in 0..installations {
        plots.extend(company(&mut world, n, stories, true));
    }
    let mut replicas = Replicas { live: Vec::new(), stopped: Vec::new() };
    for _ in 0..size.replicas {
        replicas.live.push(world.program.start(None).await);
    }
    let (mut kills, mut stops, mut turn) = (0, 0, 0);
    let mut last = Instant::now();
    let mut live: Vec<usize> = (0..plots.len()).collect();
    while !live.is_empty() || kills < size.kills || stops < size.stops {
        if !live.is_empty() {
            let chosen = random.random_range(0..live.len());
            let plot = &mut plots[live[chosen]];
            let goes_on = plot.go_on();
            world.notices.extend(plot.notices());
            if !goes_on {
                live.swap_remove(chosen);
            }
        }
        turn += 1;
        replicas.turn(&mut world, turn);
        world.post(AT_ONCE).await;
        tokio::time::sleep(if live.is_empty() { Duration::from_millis(20) } else { Duration::from_millis(1) }).await;
        if last.elapsed() < size.every || replicas.live.len() < 2 {
            continue;
        }
        last = Instant::now();
        let chosen = random.random_range(0..replicas.live.len());
        if stops < size.stops && (kills >= size.kills || random.random_bool(0.5)) {
            let victim = replicas.live.swap_remove(chosen);
            victim.stop();
            replicas.stopped.push((victim, Instant::now()));
            stops += 1;
        } else if kills < size.kills {
            replicas.live.swap_remove(chosen).kill();
            replicas.live.push(world.program.start(None).await);
            kills += 1;
        }
    }
    replicas.all_go_on();
    replicas.turn(&mut world, turn);
    world.running = replicas.live.pop();
    world.quiet().await;
    world.nothing_is_lost().await;
    for plot in &plots {
        plot.check(&world.sim);
    }
    nothing_is_made_twice(&world.sim);
    in_order(&database.url).await;
    println!("{} deliveries: nothing lost, nothing repeated, all in order", world.sim.deliveries().len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: scripts/test postgres"]
async fn a_small_storm_over_three_postgres_replicas() {
    let seed = number("STORM_SEED").unwrap_or_else(rand::random);
    storm(Size { replicas: 3, events: 220, kills: 3, stops: 1, every: Duration::from_secs(4), seed }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes many minutes: scripts/storm replicas"]
async fn a_large_storm_of_replicas() {
    let size = |name, usual| usize::try_from(number(name).unwrap_or(usual)).unwrap();
    storm(Size {
        replicas: size("STORM_REPLICAS", 3),
        // Labels that newer ones replace cause no events: some 10,000 remain.
        events: size("STORM_EVENTS", 12_000),
        kills: size("STORM_KILLS", 40),
        stops: size("STORM_STOPS", 10),
        every: Duration::from_secs(5),
        seed: number("STORM_SEED").unwrap_or_else(rand::random),
    })
    .await;
}
