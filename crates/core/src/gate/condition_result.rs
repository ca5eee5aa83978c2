//! Result of one condition.

use jiff::Timestamp;

use crate::domain::{
    decision::{Condition, ConditionState, MissingApproval},
    turn::Turn,
};

/// Result of evaluating a condition.
#[derive(Debug, Clone)]
pub(super) struct ConditionResult {
    /// Condition for the record; the combinators fill in its name.
    pub(super) condition: Condition,
    /// State of the condition at this moment: it holds or not; `None`: unknown. A closed window does
    /// not hold and is pending, because it opens at a known time.
    pub(super) holds: Option<bool>,
    /// A person has to act.
    pub(super) needs_person: bool,
}

impl ConditionResult {
    fn new(standing: ConditionState, holds: Option<bool>, code: &str, sentence: impl Into<String>, turn: Turn) -> Self {
        let condition = Condition {
            name: String::new(),
            standing,
            code: code.to_owned(),
            sentence: sentence.into(),
            link: None,
            observed_at: None,
            next_at: None,
            turn,
            waiver: None,
            approval: None,
            parts: Vec::new(),
        };
        Self { condition, holds, needs_person: false }
    }

    /// Returns a result that holds.
    pub(super) fn pass(code: &str, sentence: impl Into<String>) -> Self {
        Self::new(ConditionState::Pass, Some(true), code, sentence, Turn::Untold)
    }

    /// Returns a result that does not hold and that nothing under way will change.
    pub(super) fn fail(code: &str, sentence: impl Into<String>, turn: Turn) -> Self {
        Self::new(ConditionState::Fail, Some(false), code, sentence, turn)
    }

    /// Returns a result that does not hold yet.
    pub(super) fn wait(code: &str, sentence: impl Into<String>, turn: Turn) -> Self {
        Self::new(ConditionState::Pending, Some(false), code, sentence, turn)
    }

    /// Returns a result that is not known yet.
    pub(super) fn unknown(code: &str, sentence: impl Into<String>, turn: Turn) -> Self {
        Self::new(ConditionState::Pending, None, code, sentence, turn)
    }

    /// Returns a result that can't be found out.
    pub(super) fn error(code: &str, sentence: impl Into<String>, turn: Turn) -> Self {
        Self::new(ConditionState::Error, None, code, sentence, turn)
    }

    pub(super) fn named(mut self, name: &str) -> Self {
        name.clone_into(&mut self.condition.name);
        self
    }

    /// Sets the time at which the evidence was true.
    pub(super) fn seen(mut self, at: Option<Timestamp>) -> Self {
        self.condition.observed_at = at;
        self
    }

    /// Sets the link to the evidence.
    pub(super) fn link(mut self, page: Option<&str>) -> Self {
        self.condition.link = page.filter(|page| !page.is_empty()).map(str::to_owned);
        self
    }

    /// Sets the time of the next change that no event causes.
    pub(super) fn turns(mut self, at: Option<Timestamp>) -> Self {
        self.condition.next_at = at;
        self
    }

    /// Sets the approval that is missing.
    pub(super) fn lacks(mut self, approval: MissingApproval) -> Self {
        self.condition.approval = Some(approval);
        self
    }

    /// Marks that a person has to act.
    pub(super) fn by_hand(mut self) -> Self {
        self.needs_person = true;
        self
    }
}
