//! The table that a storm prints after all its checks have passed.

use std::collections::BTreeMap;

use phasebot::store;

use super::world::World;

/// Contents of a storm.
pub struct Report {
    pub installations: usize,
    pub plots: usize,
    pub kills: usize,
    /// Number of objects that the bot created, by the event that reported them.
    pub made: BTreeMap<String, usize>,
    pub seed: u64,
}

impl Report {
    /// Prints the report with what `world` recorded.
    pub async fn print(&self, world: &World) {
        let requests = world.sim.requests();
        let mut faults: BTreeMap<String, usize> = BTreeMap::new();
        for fault in requests.iter().filter_map(|exchange| exchange.fault) {
            let said = format!("{fault:?}");
            *faults.entry(said.split(' ').next().unwrap_or_default().to_owned()).or_default() += 1;
        }
        let failed: usize = faults.values().sum();
        let list = |counts: &BTreeMap<String, usize>| {
            counts.iter().map(|(kind, times)| format!("{kind} {times}")).collect::<Vec<_>>().join(", ")
        };
        let store = store::open(&world.program.database_url).await.unwrap();
        let dead = store.effects(true, 1000).await.unwrap().len();
        let engine = world.program.database_url.split(':').next().unwrap_or_default();
        let rows = [
            ("database, seed", format!("{engine}, {}", self.seed)),
            ("installations, plots", format!("{}, {}", self.installations, self.plots)),
            ("deliveries, sent twice", format!("{}, {}", world.sim.deliveries().len(), world.repeated)),
            ("deaths by `kill -9` or at a crash point, starts", format!("{}, {}", self.kills, world.starts)),
            ("requests to the forge, with a fault", format!("{}, {failed}: {}", requests.len(), list(&faults))),
            ("made by the bot", list(&self.made)),
            ("acknowledged and lost", "0".to_owned()),
            ("made twice", "0".to_owned()),
            ("decided out of order", "0".to_owned()),
            ("workflow starts left to people", dead.to_string()),
        ];
        println!("\n| storm | |\n| --- | --- |");
        for (what, value) in rows {
            println!("| {what} | {value} |");
        }
    }
}
