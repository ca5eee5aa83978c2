//! Storms: of many incidents at once, the first few get their own issue, and the rest share one.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::{
    domain::{
        fact::incident::{ShownIn, StormFacts},
        id::ItemId,
        policy::Mode,
    },
    incident::{
        human_actions::{self, HumanActions, IssueClosing},
        issue_sync::{self, DesiredIssue, DesiredText},
        later,
        messages::{self, Care},
        reconcile::{Reconciler, first_phase},
        route::Traits,
        state::{Incident, is_plain},
        suspect::suspects,
        timeline::IncidentState,
        view::{StormLine, StormView},
    },
    text::times::Times,
};

/// Limit on the single issues that a storm's issue names.
const MOST_OWN: usize = 10;

impl<'f> Reconciler<'f, '_> {
    /// Opens issues for the incidents at these indexes; those beyond the policy's limit join a
    /// storm.
    pub(super) fn open(&mut self, cases: &[Incident<'f>], openings: Vec<usize>) {
        let limit = self.terms.policy.alerts.storm;
        let mut recent = self.recent();
        for index in openings {
            if recent < limit.issues {
                recent += 1;
                self.open_own(&cases[index]);
            } else {
                let storm = self.storm();
                self.begin(&cases[index], ShownIn::Storm(storm));
            }
        }
    }

    /// Returns the number of single-incident issues requested within the storm window.
    fn recent(&self) -> usize {
        let within = self.terms.policy.alerts.storm.within;
        let cycles = self.eval.facts.incidents.values().flat_map(|incident| &incident.cycles);
        let own = cycles.filter_map(|cycle| match &cycle.place {
            ShownIn::Own(issue) => Some(issue),
            ShownIn::Storm(_) => None,
        });
        own.filter(|issue| later(issue.asked_at, within) > self.terms.now).count()
    }

    /// Returns the id of the current storm; starts one if there is none.
    fn storm(&mut self) -> String {
        let known = self.eval.facts.storms.iter().chain(&self.changed.storms);
        if let Some((id, _)) = known.filter(|(_, storm)| self.goes_on(storm)).max_by_key(|s| s.1.began) {
            return id.clone();
        }
        let id = format!("storm-{}", self.eval.facts.storms.len() + 1);
        let want = self.storm_want(&[], &HumanActions::default(), true);
        let marker = format!("incident:{id}");
        // The issue is opened once its rows are known, so this plan is dropped.
        let mut aside = crate::plan::PartialPlan::default();
        let issue = issue_sync::open(marker, &want, self.terms.now, &mut aside);
        self.changed.storms.insert(id.clone(), StormFacts { began: self.terms.now, issue });
        self.out.notes.push(format!("{id}: more incidents than become issues of their own"));
        id
    }

    /// Returns whether incidents can still join a storm: its issue is open, still there, firing,
    /// and not closed as not planned.
    fn goes_on(&self, storm: &StormFacts) -> bool {
        let is_ended = matches!(human_actions::hand(self.eval.facts, &storm.issue), Some(IssueClosing::NotPlanned(_)));
        storm.issue.firing && storm.issue.open && !is_ended && self.gone(&storm.issue).is_none()
    }

    /// Reconciles the issues of all storms.
    pub(super) fn storms(&mut self, cases: &[Incident<'f>]) {
        let mut storms = self.eval.facts.storms.clone();
        storms.extend(std::mem::take(&mut self.changed.storms));
        for (id, storm) in storms {
            let fresh = !self.eval.facts.storms.contains_key(&id);
            let joined = |case: &&Incident<'f>| match self.changed.incidents.get(case.id) {
                Some(incident) => incident.cycles.last().is_some_and(|cycle| cycle.place == ShownIn::Storm(id.clone())),
                None => case.present().is_some_and(|cycle| cycle.place == ShownIn::Storm(id.clone())),
            };
            let members: Vec<&Incident<'f>> = cases.iter().filter(joined).collect();
            if let Some(kept) = self.keep_storm(&storm, &members, fresh)
                && (fresh || kept != storm)
            {
                self.turned |= kept.issue.firing != storm.issue.firing;
                self.changed.storms.insert(id, kept);
            }
        }
    }

    fn keep_storm(&mut self, storm: &StormFacts, members: &[&Incident<'f>], fresh: bool) -> Option<StormFacts> {
        let fires = members.iter().any(|case| case.standing == IncidentState::Firing);
        let on = fires || (storm.issue.firing && members.iter().any(|case| case.standing.is_on()));
        let (mut left, mut reopen) = (false, false);
        match human_actions::hand(self.eval.facts, &storm.issue) {
            Some(IssueClosing::NotPlanned(_)) => return None,
            Some(IssueClosing::Ended(_)) if self.gone(&storm.issue).is_some() => return None,
            Some(IssueClosing::Ended(at)) => {
                let anew = members.iter().any(|case| {
                    case.standing == IncidentState::Firing && case.course.last().is_some_and(|run| run.from > at)
                });
                (left, reopen) = (!anew, anew);
            }
            None => {}
        }
        let word = storm.issue.number.map(|number| human_actions::word(self.eval.facts, number, self.terms.now));
        let word = word.unwrap_or_default();
        let want = DesiredIssue { left, reopen, ..self.storm_want(members, &word, on) };
        let mut kept = storm.clone();
        if let Some(until) = word.muted_until {
            self.out.wake(Some(until));
            issue_sync::show_acts(&mut kept.issue, &want, self.terms.now, &mut self.out);
            return Some(kept);
        }
        if fresh {
            kept.issue = issue_sync::open(storm.issue.marker.clone(), &want, self.terms.now, &mut self.out);
        } else {
            issue_sync::keep(&mut kept.issue, &want, self.terms.now, &mut self.out);
        }
        Some(kept)
    }

    /// Returns what a storm's issue shows.
    fn storm_view(&self, members: &[&Incident<'f>], word: &HumanActions<'_>, firing: bool) -> StormView {
        let mut lines: Vec<StormLine> = members.iter().map(|case| case.line(&self.eval)).collect();
        lines.sort_by(|a, b| {
            let order = |line: &StormLine| (line.state == "resolved", std::cmp::Reverse(line.started_at));
            order(a).cmp(&order(b)).then_with(|| a.title.cmp(&b.title))
        });
        let mut connections: Vec<&str> = members.iter().map(|case| case.facts.connection.as_str()).collect();
        connections.sort_unstable();
        connections.dedup();
        let shared = |of: fn(&Traits) -> Option<&String>| {
            let first = of(&members.first()?.traits)?;
            members.iter().all(|case| of(&case.traits) == Some(first)).then(|| first.clone())
        };
        let environment = shared(|traits| traits.environment.as_ref());
        let every = |of: fn(&Traits) -> Option<&String>| -> BTreeSet<String> {
            let counts = |case: &&&Incident<'f>| !firing || case.standing.is_on();
            members.iter().filter(counts).filter_map(|case| of(&case.traits)).cloned().collect()
        };
        let began = members.iter().filter_map(|case| Some(case.course.last()?.from)).min();
        let suspects = environment.as_deref().zip(began).map(|(name, began)| suspects(&self.eval, name, began));
        let suspects = suspects.unwrap_or_default();
        let acts = self.terms.policy.mode == Mode::Act && firing && !suspects.is_empty();
        let undo = environment.as_deref().filter(|name| acts && is_plain(name));
        let rollback = undo.map(|name| format!("/rollback {name}"));
        let zone = self.terms.policy.commands.zone.clone();
        let care = Care {
            resolved: !firing,
            closes: self.terms.policy.alerts.auto_close,
            acked: word.acked.filter(|(_, at)| Some(*at) >= began),
            muted_until: word.muted_until,
            rollback: rollback.as_deref(),
        };
        StormView {
            turn: messages::turn(&care, &Times::new(&zone, began.unwrap_or(self.terms.now))),
            rollback,
            lines,
            connections: connections.join(", "),
            severity: shared(|traits| traits.severity.as_ref()),
            environments: every(|traits| traits.environment.as_ref()),
            severities: every(|traits| traits.severity.as_ref()),
            environment,
            own: self.own_before(began.unwrap_or(self.terms.now)),
            suspects,
            muted_until: word.muted_until,
            zone,
        }
    }

    /// Returns the issues that single incidents got within the storm window around a time.
    fn own_before(&self, began: Timestamp) -> Vec<ItemId> {
        let within = self.terms.policy.alerts.storm.within;
        let cycles = self.eval.facts.incidents.values().flat_map(|incident| &incident.cycles);
        let own = cycles.filter_map(|cycle| match &cycle.place {
            ShownIn::Own(issue) if cycle.began.duration_since(began).abs() < within => issue.number,
            ShownIn::Own(_) | ShownIn::Storm(_) => None,
        });
        let mut own: Vec<ItemId> = own.collect();
        own.sort_unstable();
        own.truncate(MOST_OWN);
        own
    }

    fn storm_want(&self, members: &[&Incident<'f>], word: &HumanActions<'_>, firing: bool) -> DesiredIssue {
        let view = self.storm_view(members, word, firing);
        let mut shared = Traits::default();
        (shared.severity, shared.environment) = (view.severity.clone(), view.environment.clone());
        let zone = &self.terms.policy.commands.zone;
        DesiredIssue {
            firing,
            stale: false,
            text: DesiredText::Storm(Box::new(view)),
            looks: shared.looks(),
            phase: first_phase(self.terms.policy),
            assign: Vec::new(),
            acts: word.digest(),
            comment: Some(if firing {
                messages::again(None, zone)
            } else {
                messages::resolved(None, None, self.terms.policy.alerts.auto_close)
            }),
            left: false,
            reopen: false,
            auto_close: self.terms.policy.alerts.auto_close,
        }
    }
}
