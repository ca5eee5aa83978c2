//! Approvals of pull requests by people with write access: evidence for phases, and the time from
//! which a stranger's links count. Gates read reviews themselves, see [`crate::gate`].

use jiff::Timestamp;

use crate::{
    context::EvalContext,
    domain::{
        event::Verdict,
        fact::item::{ItemFacts, PullFacts},
        when::earlier,
    },
};

impl EvalContext<'_> {
    /// Returns the time from which a pull request's links count: at once if its author may write,
    /// otherwise once someone with write access approved or merged it.
    pub(crate) fn counts_from(&self, item: &ItemFacts) -> Option<Timestamp> {
        let pull = item.pull.as_ref()?;
        // Whoever merged it may write, so nothing has to be asked.
        let merged = pull.merged.as_ref().map(|m| m.at);
        // An App can open a pull request only where it was given that permission.
        if item.author.as_ref().is_some_and(|a| a.bot || self.writes(&a.account())) {
            return item.created_at;
        }
        let approved = self.approvals(pull).map(|(at, _)| at).min();
        earlier(merged, approved)
    }

    /// Returns the recorded approvals by people who may write.
    pub(crate) fn approvals<'b>(&'b self, pull: &'b PullFacts) -> impl Iterator<Item = (Timestamp, &'b str)> {
        let approved = pull.reviews.values().filter(|r| r.value.verdict == Verdict::Approved);
        approved
            .filter(|r| self.writes(&r.value.reviewer))
            .map(|r| (r.value.submitted_at, r.value.reviewer.login.as_str()))
    }
}
