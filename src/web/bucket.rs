//! Limits a rate.

use std::{collections::HashMap, hash::Hash, net::IpAddr};

use jiff::Timestamp;

/// Limit on the callers that are remembered.
const MOST_CALLERS: usize = 2_000;

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
        // A clock that was ahead holds nothing up once it is right.
        self.at = Some(now);
        let takes = self.left >= 1.0;
        if takes {
            self.left -= 1.0;
        }
        takes
    }
}

/// Buckets of callers by their addresses, and one of all: no caller uses up what is for all.
pub(super) struct Shares {
    /// Most tokens of one caller, and how many of them come back in a second.
    each: (f64, f64),
    all: Bucket,
    callers: HashMap<u128, Bucket>,
}

impl Shares {
    /// Creates full buckets. Both pairs are the most tokens, and how many come back in a second.
    pub(super) fn new(each: (f64, f64), all: (f64, f64)) -> Self {
        Self { each, all: Bucket::new(all.0, all.1), callers: HashMap::new() }
    }

    /// Takes a token for a caller at an address, if the caller and all have one.
    pub(super) fn take(&mut self, from: Option<IpAddr>, now: Timestamp) -> bool {
        let place = place(from);
        make_room(&mut self.callers, &place);
        let own = self.callers.entry(place).or_insert_with(|| Bucket::new(self.each.0, self.each.1)).take(now);
        own && self.all.take(now)
    }
}

/// Returns the number by which an address is counted: of IPv6, a network of 48 bits is one caller's.
fn place(from: Option<IpAddr>) -> u128 {
    match from.map(|from| from.to_canonical()) {
        Some(IpAddr::V6(address)) => address.to_bits() >> 80 << 80,
        Some(IpAddr::V4(address)) => address.to_ipv6_mapped().to_bits(),
        None => 0,
    }
}

/// Removes an entry of a map that is full, if it does not have this one.
pub(super) fn make_room<K: Copy + Eq + Hash, T>(all: &mut HashMap<K, T>, wanted: &K) {
    if all.len() >= MOST_CALLERS
        && !all.contains_key(wanted)
        && let Some(other) = all.keys().next().copied()
    {
        all.remove(&other);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_uses_up_its_own_share() {
        let now = Timestamp::from_second(1_790_000_000).unwrap();
        let mut shares = Shares::new((2.0, 0.5), (3.0, 1.0));
        let mut take = |from: &str| shares.take(Some(from.parse().unwrap()), now);
        assert_eq!(
            ["2001:db8:1:2::1", "2001:db8:1:3::1", "2001:db8:1::9"].map(&mut take),
            [true, true, false],
            "a network of 48 bits is one caller's"
        );
        assert_eq!(["192.0.2.1", "::ffff:192.0.2.1"].map(&mut take), [true, false], "all have used up theirs");
    }

    #[test]
    fn tokens_come_back_with_time_and_not_beyond_the_most() {
        let at = |second: i64| Timestamp::from_second(1_790_000_000 + second).unwrap();
        let mut bucket = Bucket::new(2.0, 0.5);
        assert_eq!([0, 0, 0, 1, 2, 2].map(|second| bucket.take(at(second))), [true, true, false, false, true, false]);
        // A clock that goes back gives nothing, and time is counted from there.
        assert_eq!([-100, -99, -98].map(|second| bucket.take(at(second))), [false, false, true]);
        assert_eq!([100, 100, 100].map(|second| bucket.take(at(second))), [true, true, false]);
    }
}
