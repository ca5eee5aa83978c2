//! What one condition found.

use jiff::Timestamp;

use crate::domain::decision::{Condition, ConditionState};

/// A condition's answer.
#[derive(Debug, Clone)]
pub(super) struct ConditionResult {
    /// For the record; its name is filled in by the tree.
    pub(super) condition: Condition,
    /// Whether it holds at this moment; `None`: not known. A window that is
    /// shut does not hold, and is pending: it opens by itself.
    pub(super) holds: Option<bool>,
    /// Someone has to do something.
    pub(super) needs_person: bool,
}

impl ConditionResult {
    fn new(standing: ConditionState, holds: Option<bool>, code: &str, sentence: impl Into<String>) -> Self {
        let condition = Condition {
            name: String::new(),
            standing,
            code: code.to_owned(),
            sentence: sentence.into(),
            link: None,
            observed_at: None,
            next_at: None,
            parts: Vec::new(),
        };
        Self { condition, holds, needs_person: false }
    }

    /// It holds.
    pub(super) fn pass(code: &str, sentence: impl Into<String>) -> Self {
        Self::new(ConditionState::Pass, Some(true), code, sentence)
    }

    /// It does not hold, and nothing that is under way will change that.
    pub(super) fn fail(code: &str, sentence: impl Into<String>) -> Self {
        Self::new(ConditionState::Fail, Some(false), code, sentence)
    }

    /// It does not hold yet.
    pub(super) fn wait(code: &str, sentence: impl Into<String>) -> Self {
        Self::new(ConditionState::Pending, Some(false), code, sentence)
    }

    /// Whether it holds will be known.
    pub(super) fn unknown(code: &str, sentence: impl Into<String>) -> Self {
        Self::new(ConditionState::Pending, None, code, sentence)
    }

    /// Whether it holds can't be found out.
    pub(super) fn error(code: &str, sentence: impl Into<String>) -> Self {
        Self::new(ConditionState::Error, None, code, sentence)
    }

    pub(super) fn named(mut self, name: &str) -> Self {
        name.clone_into(&mut self.condition.name);
        self
    }

    /// When the evidence was true.
    pub(super) fn seen(mut self, at: Option<Timestamp>) -> Self {
        self.condition.observed_at = at;
        self
    }

    /// Where the evidence can be seen.
    pub(super) fn link(mut self, page: Option<&str>) -> Self {
        self.condition.link = page.filter(|page| !page.is_empty()).map(str::to_owned);
        self
    }

    /// When it next turns by itself.
    pub(super) fn turns(mut self, at: Option<Timestamp>) -> Self {
        self.condition.next_at = at;
        self
    }

    /// Someone has to do something about it.
    pub(super) fn by_hand(mut self) -> Self {
        self.needs_person = true;
        self
    }
}
