//! User feedback as plain issues: each key opens one issue, and people handle it from there.

use crate::incident::{
    issue_sync::{self, DesiredIssue, DesiredText},
    reconcile::{Reconciler, first_phase},
    route,
};

impl Reconciler<'_, '_> {
    /// Opens an issue for each feedback message that has none.
    pub(super) fn reports(&mut self) {
        let facts = self.eval.facts;
        for (id, report) in &facts.feedback {
            let want = |text| DesiredIssue {
                firing: true,
                stale: false,
                text,
                looks: vec![route::feedback()],
                phase: first_phase(self.terms.policy),
                assign: Vec::new(),
                acts: String::new(),
                comment: None,
                left: false,
                reopen: false,
                auto_close: false,
            };
            let refused = report.issue.as_ref().is_some_and(|issue| issue.number.is_none() && issue.refused.is_some());
            if report.issue.is_some() && !refused {
                continue;
            }
            let want = want(DesiredText::Feedback(Box::new(report.said.1.clone()), report.connection.clone()));
            let mut kept = report.clone();
            match &mut kept.issue {
                Some(issue) => issue_sync::keep(issue, &want, self.terms.now, &mut self.out),
                slot @ None => {
                    let marker = format!("feedback:{id}");
                    let looks = want.looks.iter().chain(&want.phase).cloned().collect();
                    *slot = Some(issue_sync::open_plain(marker, looks, &want.text, self.terms.now, &mut self.out));
                    self.out.notes.push(format!("feedback {id}: an issue is opened"));
                }
            }
            if kept != *report {
                self.changed.reports.insert(id.clone(), kept);
            }
        }
    }
}
