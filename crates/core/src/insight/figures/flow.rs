//! Flow: throughput, cycle time, work in progress and its age.

use jiff::{Timestamp, civil::Date};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    domain::{id::ItemId, when::earlier},
    insight::{
        figures::{Query, delivery::per_day, forecast::Forecast},
        row::{UnitRow, seconds},
        rows::{InsightRows, TermsRow},
        statistic::{Spread, percentile},
    },
};

/// Flow of issues, and of pull requests that close none. Work on one starts with its last entry into
/// the starting phase (by default `code`) or a later one without a return before it, and is finished
/// with its entry into the finishing phase (by default `operate`) that still stands. Reopening
/// begins a new unit of work.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Flow {
    /// Throughput: units finished in the window.
    pub finished: usize,
    /// Units finished for each whole day, days without one included.
    pub finished_per_day: Option<f64>,
    /// Units finished on each day.
    pub throughput: Vec<DayCount>,
    /// Units started in the window, as far as they are still started.
    pub started: usize,
    /// Units that left unfinished in the window: closed as not planned, closed by hand, opted out, or
    /// gone.
    pub left: usize,
    /// Cycle time: from start to finish, of the units finished in the window. Those that started
    /// before our record of them have none.
    pub cycle_time: Option<Spread>,
    /// Units finished in the window that started before our record of them.
    pub without_cycle_time: usize,
    /// Each unit finished in the window, by its finish.
    pub finishes: Vec<Finish>,
    /// Work in progress at the end of the window.
    pub in_progress: usize,
    /// The units in progress at the end of the window, the oldest first.
    pub ageing: Vec<Ageing>,
    /// For each phase, the ages of finished units when they left it.
    pub bands: Vec<Band>,
    /// Cumulative flow: for each day, the units that had arrived in each phase by its end, and those
    /// that had departed. Those that had departed before the window are not counted. A phase that a
    /// unit skipped counts as reached with the next one, so that no line ever falls.
    pub cumulative: Vec<CumulativeDay>,
    /// Times that a unit in progress or finished in the window fell back to an earlier phase.
    pub fell_back: u32,
    /// Flow efficiency, an estimate: the share of the cycle time of finished units that they spent in
    /// the phases that the policy calls active, as a percentage.
    pub efficiency: Option<f64>,
    /// Little's law: average work in progress against throughput times average cycle time.
    pub little: Little,
    /// Forecast from the throughput of the last 84 whole days; absent with fewer than 20 units or 10
    /// days with one in that time.
    pub forecast: Option<Forecast>,
}

/// A number on a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct DayCount {
    /// The day.
    #[schemars(with = "String")]
    pub day: Date,
    /// The number.
    pub count: u32,
}

/// A finished unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Finish {
    /// The issue or pull request.
    pub item: ItemId,
    /// The time at which it was finished.
    #[schemars(with = "String")]
    pub at: Timestamp,
    /// Its cycle time in seconds; absent if it started before our record of it.
    pub cycle_time: Option<i64>,
}

/// A unit in progress.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Ageing {
    /// The issue or pull request.
    pub item: ItemId,
    /// Its phase.
    pub phase: Option<String>,
    /// Time since when it is in that phase.
    #[schemars(with = "Option<String>")]
    pub since: Option<Timestamp>,
    /// Its age in seconds, since its start.
    pub age: i64,
    /// True if it started before our record of it: it is older.
    pub older: bool,
    /// Percentile of the ages at which finished units left that phase, that its age exceeds: 0, 50,
    /// 70, 85 or 95; absent if none left it.
    pub band: Option<u8>,
}

/// Ages, in seconds, of finished units when they left a phase.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Band {
    /// The phase.
    pub phase: String,
    /// Number of units.
    pub n: usize,
    /// Median.
    pub p50: i64,
    /// 70th percentile.
    pub p70: i64,
    /// 85th percentile.
    pub p85: i64,
    /// 95th percentile.
    pub p95: i64,
}

/// Cumulative flow by the end of a day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct CumulativeDay {
    /// The day.
    #[schemars(with = "String")]
    pub day: Date,
    /// Units that had arrived in each phase, in the policy's order.
    pub arrived: Vec<u32>,
    /// Units that had been finished, or left.
    pub departed: u32,
}

/// Little's law in a window: the average work in progress is the throughput times the average cycle
/// time, if as many units come in as go out, and the work in progress and its age stay the same.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Little {
    /// Sum of the seconds that each unit was in progress within the window.
    pub area: i64,
    /// Average work in progress.
    pub average_in_progress: Option<f64>,
    /// Throughput times mean cycle time, in units.
    pub expected: Option<f64>,
    /// Units that came in, and units that went out: finished or left.
    pub came: usize,
    /// See `came`.
    pub went: usize,
}

impl Flow {
    pub(crate) fn of(rows: &InsightRows, query: &Query, whole_days: u32) -> Self {
        let none = TermsRow::none();
        let terms = rows.terms.as_ref().unwrap_or(&none);
        let window = &query.window;
        let units: Vec<&UnitRow> = rows.units.iter().collect();
        let within = |at: Option<Timestamp>| at.is_some_and(|at| window.covers(at));
        let mut done: Vec<&UnitRow> = units.iter().copied().filter(|unit| within(unit.finished)).collect();
        done.sort_by_key(|unit| (unit.finished, unit.item));
        let finishes: Vec<Finish> = done.iter().filter_map(|unit| finish(unit)).collect();
        let throughput: Vec<DayCount> = window
            .each_day()
            .map(|(day, from, until)| DayCount {
                day,
                count: count(finishes.iter().filter(|one| one.at >= from && one.at < until)),
            })
            .collect();
        let whole = finishes.iter().filter(|one| one.at < window.whole_to()).count();
        let open = |unit: &&UnitRow| {
            span(unit).is_some_and(|(from, until)| from < window.to && until.is_none_or(|end| end >= window.to))
        };
        let bands = bands(terms, &done);
        let mut ageing: Vec<Ageing> =
            units.iter().copied().filter(open).map(|unit| ageing(unit, window.to, &bands)).collect();
        ageing.sort_by_key(|one| (std::cmp::Reverse(one.age), one.item));
        let cycle_time = Spread::of(finishes.iter().filter_map(|one| one.cycle_time));
        let concerned = units.iter().filter(|unit| within(unit.finished) || open(unit));
        let went = finishes.len() + units.iter().filter(|unit| unit.started.is_some() && within(unit.left)).count();
        Self {
            finished: finishes.len(),
            finished_per_day: per_day(whole, whole_days),
            throughput,
            started: units.iter().filter(|unit| within(unit.started)).count(),
            left: units.iter().filter(|unit| within(unit.left)).count(),
            without_cycle_time: finishes.iter().filter(|one| one.cycle_time.is_none()).count(),
            in_progress: ageing.len(),
            ageing,
            bands,
            cumulative: cumulative(terms, &units, query),
            fell_back: concerned.map(|unit| unit.fell_back).sum(),
            efficiency: efficiency(terms, &done),
            little: little(&units, query, went, cycle_time.as_ref()),
            forecast: None,
            cycle_time,
            finishes,
        }
    }
}

fn count<T>(things: impl Iterator<Item = T>) -> u32 {
    u32::try_from(things.count()).unwrap_or(u32::MAX)
}

fn finish(unit: &UnitRow) -> Option<Finish> {
    let at = unit.finished?;
    let started = unit.started.filter(|_| !unit.started_before_record);
    Some(Finish { item: unit.item, at, cycle_time: started.map(|started| seconds(started, at)) })
}

/// Returns when a unit was in progress: from its start until it was finished or left.
fn span(unit: &UnitRow) -> Option<(Timestamp, Option<Timestamp>)> {
    let started = unit.started.or(unit.finished)?;
    Some((started, unit.ended()))
}

fn ageing(unit: &UnitRow, at: Timestamp, bands: &[Band]) -> Ageing {
    let age = unit.started.map_or(0, |started| seconds(started, at));
    let band = bands.iter().find(|band| Some(&band.phase) == unit.phase.as_ref());
    let exceeded = |band: &Band| {
        let limits = [(95, band.p95), (85, band.p85), (70, band.p70), (50, band.p50)];
        limits.into_iter().find(|(_, limit)| age > *limit).map_or(0, |(percent, _)| percent)
    };
    Ageing {
        item: unit.item,
        phase: unit.phase.clone(),
        since: unit.since,
        age,
        older: unit.started_before_record,
        band: band.map(exceeded),
    }
}

fn bands(terms: &TermsRow, done: &[&UnitRow]) -> Vec<Band> {
    let place = |name: &str| terms.phases.iter().position(|phase| phase.eq_ignore_ascii_case(name));
    let (Some(first), Some(last)) = (place(&terms.start), place(&terms.finish)) else { return Vec::new() };
    let phases = first..last.max(first);
    let band = |index: usize| {
        let next = terms.phases.get(index + 1)?;
        let age = |unit: &&UnitRow| {
            let started = unit.started.filter(|_| !unit.started_before_record)?;
            Some((seconds(started, unit.arrival(next)?), 1))
        };
        let mut ages: Vec<(i64, usize)> = done.iter().filter_map(age).collect();
        ages.sort_unstable();
        let n = ages.len();
        let rank = |percent| percentile(&ages, n, percent);
        let phase = terms.phases[index].clone();
        Some(Band { phase, n, p50: rank(50)?, p70: rank(70)?, p85: rank(85)?, p95: rank(95)? })
    };
    phases.filter_map(band).collect()
}

fn cumulative(terms: &TermsRow, units: &[&UnitRow], query: &Query) -> Vec<CumulativeDay> {
    let window = &query.window;
    let units: Vec<&UnitRow> =
        units.iter().copied().filter(|unit| unit.ended().is_none_or(|end| end >= window.from)).collect();
    let since = |phase: &str| terms.phases_since.iter().find(|(name, _)| name == phase).map(|(_, at)| *at);
    let arrival = |unit: &UnitRow, phase: &str| -> Option<Timestamp> {
        let at = unit.arrival(phase)?;
        match since(phase) {
            // A phase that the policy did not have yet has no past.
            Some(since) if unit.ended().is_some_and(|end| end < since) => None,
            Some(since) => Some(at.max(since)),
            None => Some(at),
        }
    };
    let mut arrivals: Vec<Vec<Timestamp>> = Vec::new();
    for phase in &terms.phases {
        let mut times: Vec<Timestamp> = units.iter().filter_map(|unit| arrival(unit, phase)).collect();
        times.sort_unstable();
        arrivals.push(times);
    }
    let mut departures: Vec<Timestamp> = units.iter().filter_map(|unit| unit.ended()).collect();
    departures.sort_unstable();
    let by = |times: &[Timestamp], until: Timestamp| {
        u32::try_from(times.partition_point(|at| *at < until)).unwrap_or(u32::MAX)
    };
    let days = window.each_day().map(|(day, _, until)| CumulativeDay {
        day,
        arrived: arrivals.iter().map(|times| by(times, until)).collect(),
        departed: by(&departures, until),
    });
    days.collect()
}

fn efficiency(terms: &TermsRow, done: &[&UnitRow]) -> Option<f64> {
    let (mut active, mut all) = (0, 0);
    for unit in done {
        let Some((started, finished)) = unit.started.zip(unit.finished).filter(|_| !unit.started_before_record) else {
            continue;
        };
        let cycle = seconds(started, finished);
        let is_active = |name: &str| terms.active.iter().any(|active| active.eq_ignore_ascii_case(name));
        let worked: i64 = unit.spent.iter().filter(|(name, _)| is_active(name)).map(|(_, time)| time).sum();
        active += worked.min(cycle);
        all += cycle;
    }
    #[expect(clippy::cast_precision_loss, reason = "seconds of a few years fit")]
    (all > 0).then(|| 100.0 * active as f64 / all as f64)
}

fn little(units: &[&UnitRow], query: &Query, went: usize, cycle_time: Option<&Spread>) -> Little {
    let window = &query.window;
    let overlap = |unit: &&UnitRow| {
        let Some((from, until)) = span(unit) else { return 0 };
        let until = earlier(until, Some(window.to)).unwrap_or(window.to);
        seconds(from.max(window.from), until)
    };
    let area: i64 = units.iter().map(overlap).sum();
    let came = units.iter().filter(|unit| span(unit).is_some_and(|(from, _)| window.covers(from))).count();
    let length = window.length().as_secs();
    let finished = cycle_time.map(|spread| spread.n);
    #[expect(clippy::cast_precision_loss, reason = "seconds of a few years fit")]
    let over_length = |amount: i64| (length > 0).then(|| amount as f64 / length as f64);
    let expected = cycle_time.zip(finished).and_then(|(spread, n)| over_length(spread.mean * i64::try_from(n).ok()?));
    Little { area, average_in_progress: over_length(area), expected, came, went }
}
