//! The measurements, one file each; each prints its rows of the table.

mod growth;
mod latency;
mod life;
mod overload;
mod pages;
mod peers;
mod rate;
mod replicas;

use std::{fs, path::PathBuf, rc::Rc, time::Duration};

pub use self::{
    growth::{growth, items},
    latency::latency,
    life::life,
    overload::overload,
    pages::{PageSizes, fill, pages},
    peers::peers,
    rate::rate,
    replicas::replicas,
};
use crate::{
    Result,
    load::{Issues, Outcome, Pace, flood},
    server::Server,
};

/// Installations, as in the target.
const INSTALLATIONS: u64 = 40;
/// Repositories of each while only throughput counts.
const REPOSITORIES: u64 = 5;
/// Connections of the throughput measurement.
const CONNECTIONS: u32 = 64;
/// Rest before idle memory is read.
const SETTLE: Duration = Duration::from_secs(2);

/// Extent and place of the measurements.
pub struct Plan {
    /// Length of a round.
    pub lasting: Duration,
    /// Rounds.
    pub rounds: usize,
    /// Length of the latency measurement.
    pub paced: Duration,
    /// Where databases go.
    pub folder: PathBuf,
}

impl Plan {
    /// A place for a new database.
    fn database(&self, name: &str) -> Result<PathBuf> {
        fs::create_dir_all(&self.folder)?;
        let path = self.folder.join(format!("{name}.db"));
        for suffix in ["", "-wal", "-shm"] {
            let file = self.folder.join(format!("{name}.db{suffix}"));
            if file.exists() {
                fs::remove_file(file)?;
            }
        }
        Ok(path)
    }
}

fn row(what: &str, value: &str, target: &str, met: Option<bool>) {
    let verdict = met.map_or("", |met| if met { "met" } else { "**missed**" });
    println!("| {what} | {value} | {target} | {verdict} |");
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The value below which so many of a thousand lie.
fn permille(sorted: &[f64], rank: usize) -> f64 {
    let index = (sorted.len() * rank / 1000).min(sorted.len().saturating_sub(1));
    sorted.get(index).copied().unwrap_or(f64::NAN)
}

/// Median and slow end of the acknowledgements, in milliseconds.
fn ack_times(outcomes: &[Outcome]) -> String {
    let mut all: Vec<f64> = outcomes.iter().flat_map(|o| &o.micros).map(|m| f64::from(*m) / 1000.0).collect();
    all.sort_by(f64::total_cmp);
    format!("{:.1} / {:.1} ms", permille(&all, 500), permille(&all, 990))
}

/// A round against a server that has run for a moment.
async fn round(plan: &Plan, server: &Server, connections: u32, issues: &Rc<Issues>) -> Outcome {
    flood(server.address, connections, Duration::from_millis(500), Pace::Full, issues).await;
    flood(server.address, connections, plan.lasting, Pace::Full, issues).await
}
