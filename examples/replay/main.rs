//! Replays the life of one repository through the core alone: what deciding an
//! event costs after 100, 1,000 and 10,000 changes, without a store, a forge or
//! a network. `scripts/bench --only replay` runs it.

mod life;
mod player;

use std::time::{Duration, Instant};

use life::Life;
use player::Player;

/// Where costs are compared, in changes.
const MARKS: [u64; 4] = [100, 1_000, 4_000, 10_000];
/// Changes that are measured at each mark.
const WINDOW: u64 = 100;

fn main() {
    let changes = std::env::args().nth(1).and_then(|arg| arg.parse().ok()).unwrap_or(10_000);
    let (mut life, mut player) = (Life::default(), Player::new());
    let mut events = 0_u64;
    let began = Instant::now();
    #[expect(clippy::print_stdout, reason = "it is a command-line tool")]
    for change in 0..changes {
        let mark = MARKS.into_iter().find(|mark| change + WINDOW >= *mark && change < *mark);
        for (kind, event) in life.change() {
            let timers = player.wake(event.at);
            let started = Instant::now();
            player.play(&event);
            if mark.is_some() {
                player.took(kind, started.elapsed());
                for took in timers {
                    player.took("timer", took);
                }
            }
            events += 1;
        }
        if MARKS.contains(&(change + 1)) {
            println!("after {} changes, {events} events, {} timers:", change + 1, player.fired);
            for (kind, took) in player.costs() {
                println!("  {kind:<18} mean {:>9.1?}  median {:>9.1?}  p99 {:>9.1?}", took.mean, took.median, took.p99);
            }
        }
    }
    let took = began.elapsed();
    #[expect(clippy::print_stdout, reason = "it is a command-line tool")]
    {
        println!("{events} events in {took:.1?}: {:.0} a second", rate(events, took));
        println!("{}", player.memory());
    }
}

#[expect(clippy::cast_precision_loss, reason = "so many events there never are")]
fn rate(events: u64, took: Duration) -> f64 {
    events as f64 / took.as_secs_f64()
}
