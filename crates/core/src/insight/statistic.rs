//! Statistics over observed values. Percentiles are nearest-rank: each is a value that was
//! observed, in whole seconds.

use schemars::JsonSchema;
use serde::Serialize;

/// Spread of a number of values, in seconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Spread {
    /// Number of values.
    pub n: usize,
    /// Median.
    pub p50: i64,
    /// 85th percentile.
    pub p85: i64,
    /// 95th percentile.
    pub p95: i64,
    /// Mean, rounded down.
    pub mean: i64,
}

impl Spread {
    /// Returns the spread of values; `None` if there are none.
    #[must_use]
    pub fn of(values: impl IntoIterator<Item = i64>) -> Option<Self> {
        Self::weighted(values.into_iter().map(|value| (value, 1)))
    }

    /// Returns the spread of values that each count several times; `None` if there are none.
    #[must_use]
    pub fn weighted(values: impl IntoIterator<Item = (i64, usize)>) -> Option<Self> {
        let mut values: Vec<(i64, usize)> = values.into_iter().filter(|(_, count)| *count > 0).collect();
        values.sort_unstable();
        let n: usize = values.iter().map(|(_, count)| count).sum();
        let sum: i128 = values.iter().map(|(value, count)| i128::from(*value) * *count as i128).sum();
        Some(Self {
            n,
            p50: percentile(&values, n, 50)?,
            p85: percentile(&values, n, 85)?,
            p95: percentile(&values, n, 95)?,
            mean: i64::try_from(sum / n as i128).unwrap_or(i64::MAX),
        })
    }
}

/// Returns the value at rank ⌈p·n⌉ of sorted values, each with its count, of which there are `n` in
/// all; `None` if there are none.
pub(crate) fn percentile(sorted: &[(i64, usize)], n: usize, percent: usize) -> Option<i64> {
    let rank = (percent * n).div_ceil(100).max(1);
    let mut seen = 0;
    sorted
        .iter()
        .find(|(_, count)| {
            seen += count;
            seen >= rank
        })
        .map(|(value, _)| *value)
}

/// A share of a number of things.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Share {
    /// Those that count.
    pub part: usize,
    /// All of them.
    pub n: usize,
}

impl Share {
    /// Returns it as a percentage; `None` of nothing.
    #[must_use]
    pub fn percent(self) -> Option<f64> {
        // Counts of deployments are far below 2^52.
        #[expect(clippy::cast_precision_loss, reason = "both are small")]
        let percent = |part: usize, n: usize| 100.0 * part as f64 / n as f64;
        (self.n > 0).then(|| percent(self.part, self.n))
    }
}
