//! The machine on which the figures were measured.

use std::{fs, io::Write, path::Path, time::Instant};

use crate::Result;

/// Syncs that are timed.
const SYNCS: u32 = 400;

/// Processor, memory, system and disk in one line.
pub fn describe(folder: &Path) -> Result<String> {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo")?;
    let model = cpuinfo.lines().find(|l| l.starts_with("model name")).and_then(|l| l.split(": ").nth(1));
    let cores = std::thread::available_parallelism()?;
    let meminfo = fs::read_to_string("/proc/meminfo")?;
    let total = meminfo.lines().next().and_then(|l| l.split_whitespace().nth(1)).and_then(|t| t.parse::<u64>().ok());
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    Ok(format!(
        "Machine: {} × {}, {} GiB, Linux {}; a sync of 12 KiB takes {} µs in the median (phasebot {}).\n",
        cores,
        model.unwrap_or("an unknown processor"),
        total.unwrap_or(0) / 1024 / 1024,
        kernel.trim(),
        sync_time(folder)?,
        env!("CARGO_PKG_VERSION"),
    ))
}

/// Median time of writing and syncing 12 KiB at a file's end, in microseconds.
fn sync_time(folder: &Path) -> Result<u128> {
    fs::create_dir_all(folder)?;
    let path = folder.join("sync");
    let mut file = fs::File::create(&path)?;
    let mut times = Vec::new();
    for _ in 0..SYNCS {
        let begun = Instant::now();
        file.write_all(&[7; 12 * 1024])?;
        file.sync_data()?;
        times.push(begun.elapsed().as_micros());
    }
    fs::remove_file(path)?;
    times.sort_unstable();
    Ok(times[times.len() / 2])
}
