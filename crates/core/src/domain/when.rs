//! Spans of time in which evidence holds.
//!
//! Every phase's evidence is a set of spans. The phase at a given time, the whole history of phases
//! and the next time at which something changes by itself all follow from them, so that the order
//! in which events arrived cannot matter.

use jiff::Timestamp;

/// A span from one time (inclusive) until another (exclusive), or open-ended.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// First moment.
    pub from: Timestamp,
    /// First moment no longer covered; `None` while it still holds.
    pub until: Option<Timestamp>,
    /// The reason why it holds, as a sentence for people.
    pub because: String,
}

impl Span {
    /// Creates a span that begins at `from` and has no end.
    pub fn open(from: Timestamp, because: impl Into<String>) -> Self {
        Self { from, until: None, because: because.into() }
    }

    /// Creates a span with an end, if it is not empty.
    pub fn between(from: Timestamp, until: Option<Timestamp>, because: impl Into<String>) -> Option<Self> {
        let span = Self { from, until, because: because.into() };
        (!span.is_empty()).then_some(span)
    }

    /// Returns true if `at` lies within.
    pub fn covers(&self, at: Timestamp) -> bool {
        self.from <= at && self.until.is_none_or(|end| at < end)
    }

    /// Returns true if no moment lies within.
    pub fn is_empty(&self) -> bool {
        self.until.is_some_and(|end| end <= self.from)
    }

    /// Returns the part that lies within `from..until`.
    pub fn clip(&self, from: Timestamp, until: Option<Timestamp>) -> Option<Self> {
        Self::between(self.from.max(from), earlier(self.until, until), self.because.clone())
    }
}

/// Returns the earlier of two ends, where `None` means never.
pub fn earlier(a: Option<Timestamp>, b: Option<Timestamp>) -> Option<Timestamp> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

/// Returns the span that covers `at`; if several do, the one that began first.
pub fn standing(spans: &[Span], at: Timestamp) -> Option<&Span> {
    spans.iter().filter(|s| s.covers(at)).min_by(|a, b| (a.from, &a.because).cmp(&(b.from, &b.because)))
}
