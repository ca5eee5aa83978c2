//! Limits a rate.

use jiff::Timestamp;

/// Tokens that are taken one by one and come back with time.
pub(super) struct Bucket {
    most: f64,
    per_second: f64,
    left: f64,
    at: Option<Timestamp>,
}

impl Bucket {
    /// Creates a full bucket.
    pub(super) fn new(most: f64, per_second: f64) -> Self {
        Self { most, per_second, left: most, at: None }
    }

    /// Takes a token, if one is there.
    pub(super) fn take(&mut self, now: Timestamp) -> bool {
        let passed = self.at.map_or(0.0, |at| now.duration_since(at).as_secs_f64().max(0.0));
        self.left = (self.left + passed * self.per_second).min(self.most);
        self.at = Some(self.at.map_or(now, |at| at.max(now)));
        let takes = self.left >= 1.0;
        if takes {
            self.left -= 1.0;
        }
        takes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_come_back_with_time_and_not_beyond_the_most() {
        let at = |second: i64| Timestamp::from_second(1_790_000_000 + second).unwrap();
        let mut bucket = Bucket::new(2.0, 0.5);
        assert_eq!([0, 0, 0, 1, 2, 2].map(|second| bucket.take(at(second))), [true, true, false, false, true, false]);
        // A clock that goes back gives nothing.
        assert!(!bucket.take(at(-100)) && !bucket.take(at(2)));
        assert_eq!([100, 100, 100].map(|second| bucket.take(at(second))), [true, true, false]);
    }
}
