//! Differences between two rules for alerts. Incidents close gates, so that a rule by which fewer
//! open, or by which they end sooner, protects less.

use crate::{
    domain::alert_policy::{AlertPolicy, StormPolicy},
    engine::policy_diff::{Longer, PolicyDiff, Safe},
    text::message::duration,
};

impl PolicyDiff {
    pub(super) fn alerts(&mut self, old: &AlertPolicy, new: &AlertPolicy) {
        let AlertPolicy {
            routes,
            environment,
            auto_close,
            hold,
            grace,
            reopen_window,
            suspect_window,
            stale_after,
            suppress,
            storm,
        } = old;
        // A route, also one that is added, may move alerts to another environment.
        if *routes != new.routes {
            self.weaker.push("the routes of alerts changed".to_owned());
        }
        if *environment != new.environment {
            self.weaker.push("alerts that name no environment count for another one".to_owned());
        }
        self.switch(
            (*auto_close, new.auto_close),
            ("issues of incidents close by themselves", "issues of incidents stay open until a person closes them"),
            Safe::Off,
        );
        self.span("the time before an alert opens an issue", *hold, new.hold, Some(Longer(false)));
        self.span("the time until an incident is over", *grace, new.grace, Some(Longer(true)));
        self.span("the time in which an incident reopens its issue", *reopen_window, new.reopen_window, None);
        self.span("the time in which deploys are suspects", *suspect_window, new.suspect_window, None);
        self.span("the time until an incident is stale", *stale_after, new.stale_after, Some(Longer(true)));
        let suppress_words = "the time for which a closed issue keeps others away";
        self.span(suppress_words, *suppress, new.suppress, Some(Longer(false)));
        let StormPolicy { issues, within } = storm;
        if (*issues, *within) != (new.storm.issues, new.storm.within) {
            self.weaker.push(format!(
                "incidents share an issue after {} in {} (was {issues} in {})",
                new.storm.issues,
                duration(new.storm.within),
                duration(*within)
            ));
        }
    }
}
