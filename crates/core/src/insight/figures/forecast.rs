//! Forecast by drawing days of the past at random, always with the same result for the same day.

use schemars::JsonSchema;
use serde::Serialize;

use crate::insight::{figures::Query, rows::InsightRows, statistic::percentile, window::Window};

/// Whole days of the past that are drawn from.
pub const DAYS: i64 = 84;
/// Number of futures that are drawn.
const RUNS: usize = 10_000;
/// Fewest finished units, and fewest days with one, for a forecast.
const FEWEST: (usize, usize) = (20, 10);
/// A future that is longer than this many days has no end.
const LONGEST: usize = 3_650;
/// Days ahead for which the number of units is forecast.
const AHEAD: usize = 14;

/// Forecast from 10,000 random futures that are put together from the last 84 whole days, days
/// without a finished unit included. It says what happens if things go on as they did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Forecast {
    /// Finished units that it is drawn from.
    pub n: usize,
    /// Days ahead of `units`.
    pub days_ahead: usize,
    /// Numbers of units that at least so many percent of the futures finish in that time.
    pub units: Vec<ForecastUnits>,
    /// Units in progress.
    pub in_progress: usize,
    /// Numbers of days after which so many percent of the futures have finished as many units as are
    /// in progress now. None above 95 %: the past says nothing of that.
    pub days: Vec<ForecastDays>,
}

/// A number of units with its likelihood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ForecastUnits {
    /// Percent of the futures that finish at least so many.
    pub percent: u8,
    /// Number of units.
    pub units: i64,
}

/// A number of days with its likelihood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ForecastDays {
    /// Percent of the futures that need no longer.
    pub percent: u8,
    /// Number of days.
    pub days: i64,
}

/// Likelihoods that are shown.
const PERCENTS: [u8; 4] = [50, 70, 85, 95];

impl Forecast {
    pub(crate) fn of(rows: &InsightRows, query: &Query) -> Option<Self> {
        let past = Window::last(u16::try_from(DAYS).unwrap_or(u16::MAX), query.now, &query.window.zone);
        let finished: Vec<_> = rows.units.iter().filter_map(|unit| unit.finished).collect();
        let days = past.each_day().filter(|(day, ..)| *day < past.whole_until);
        let by_day: Vec<u32> = days
            .map(|(_, from, until)| {
                let on = finished.iter().filter(|at| **at >= from && **at < until).count();
                u32::try_from(on).unwrap_or(u32::MAX)
            })
            .collect();
        let in_progress = rows.units.iter().filter(|unit| unit.started.is_some() && unit.ended().is_none()).count();
        let day = past.whole_until;
        let day = i64::from(day.year()) * 10_000 + i64::from(day.month()) * 100 + i64::from(day.day());
        Self::draw(&by_day, in_progress, query.seed ^ day.cast_unsigned())
    }

    /// Draws the futures; `None` if the past is too thin.
    #[must_use]
    pub fn draw(by_day: &[u32], in_progress: usize, seed: u64) -> Option<Self> {
        let n: usize = by_day.iter().map(|count| *count as usize).sum();
        let with = by_day.iter().filter(|count| **count > 0).count();
        if n < FEWEST.0 || with < FEWEST.1 {
            return None;
        }
        let mut random = Random(seed);
        let mut units: Vec<(i64, usize)> = Vec::with_capacity(RUNS);
        let mut days: Vec<(i64, usize)> = Vec::with_capacity(RUNS);
        for _ in 0..RUNS {
            let (mut sum, mut needed) = (0_usize, None);
            for day in 1..=LONGEST {
                sum += by_day[random.below(by_day.len())] as usize;
                if day == AHEAD {
                    units.push((i64::try_from(sum).unwrap_or(i64::MAX), 1));
                }
                if needed.is_none() && sum >= in_progress {
                    needed = Some(day);
                }
                if day >= AHEAD && needed.is_some() {
                    break;
                }
            }
            days.push((needed.map_or(i64::MAX, |day| i64::try_from(day).unwrap_or(i64::MAX)), 1));
        }
        units.sort_unstable();
        days.sort_unstable();
        // At least so many: the futures below are the remaining percent.
        let least = |percent: u8| percentile(&units, RUNS, usize::from(100 - percent));
        let most = |percent: u8| percentile(&days, RUNS, usize::from(percent)).filter(|days| *days < i64::MAX);
        Some(Self {
            n,
            days_ahead: AHEAD,
            units: PERCENTS
                .into_iter()
                .filter_map(|percent| Some(ForecastUnits { percent, units: least(percent)? }))
                .collect(),
            in_progress,
            days: PERCENTS
                .into_iter()
                .filter(|_| in_progress > 0)
                .filter_map(|percent| Some(ForecastDays { percent, days: most(percent)? }))
                .collect(),
        })
    }
}

/// Pseudo-random numbers by SplitMix64: the same for the same seed on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// Returns a number below `limit`.
    fn below(&mut self, limit: usize) -> usize {
        let wide = u128::from(self.next()) * limit as u128;
        usize::try_from(wide >> 64).unwrap_or(0)
    }
}
