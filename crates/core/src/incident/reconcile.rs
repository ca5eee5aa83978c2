//! Reconciles all incidents of a repository with their issues: which issues to open, and what to
//! change on existing ones.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::{
    context::EvalContext,
    domain::{
        effect::{Effect, LabelSpec},
        fact::{
            DocumentKey, RepoFacts,
            incident::{CycleFacts, FeedbackFacts, IncidentFacts, IssueFacts, ShownIn, StormFacts},
        },
        policy::{EvidenceKind, Policy},
    },
    incident::{
        heartbeat,
        human_actions::{self, HumanActions, IssueClosing},
        issue_sync::{self, DesiredIssue, DesiredText},
        later, messages,
        query::disturbed_by,
        state::Incident,
        timeline::IncidentState,
    },
    plan::{DecisionContext, EffectOutcome, PartialPlan},
};

/// Reconciles every incident's issue with facts, policy and time.
pub(crate) fn advance(facts: &mut RepoFacts, terms: &DecisionContext<'_>) -> PartialPlan {
    let nothing_said = facts.incidents.is_empty() && facts.feedback.is_empty() && facts.heartbeats.is_empty();
    if nothing_said || terms.writes_disabled.is_some() {
        return PartialPlan::default();
    }
    let out = heartbeat::watch(facts, terms);
    let eval = EvalContext::new(facts, terms.policy, terms.now);
    let mut tending = Reconciler { eval, terms, out, changed: Changed::default(), turned: false };
    let cases: Vec<Incident<'_>> =
        tending.eval.facts.incidents.iter().map(|(id, incident)| Incident::new(&tending.eval, id, incident)).collect();
    let openings = tending.incidents(&cases);
    tending.open(&cases, openings);
    tending.storms(&cases);
    tending.reports();
    tending.notice(&cases);
    if tending.turned {
        tending.eval.landed(&mut tending.out.items);
    }
    let Reconciler { changed, out, .. } = tending;
    changed.keep(facts, out)
}

/// Changed documents, kept apart from the facts that they were derived from.
#[derive(Default)]
pub(super) struct Changed {
    pub(super) incidents: BTreeMap<String, IncidentFacts>,
    pub(super) storms: BTreeMap<String, StormFacts>,
    pub(super) reports: BTreeMap<String, FeedbackFacts>,
}

impl Changed {
    fn keep(self, facts: &mut RepoFacts, mut out: PartialPlan) -> PartialPlan {
        let keys = self.incidents.keys().cloned().map(DocumentKey::Incident);
        let keys = keys.chain(self.storms.keys().cloned().map(DocumentKey::Storm));
        let keys: Vec<DocumentKey> = keys.chain(self.reports.keys().cloned().map(DocumentKey::Feedback)).collect();
        facts.incidents.extend(self.incidents);
        facts.storms.extend(self.storms);
        facts.feedback.extend(self.reports);
        for key in keys {
            facts.reindex(&key);
            out.changed.insert(key);
        }
        out
    }
}

pub(super) struct Reconciler<'f, 't> {
    pub(super) eval: EvalContext<'f>,
    pub(super) terms: &'t DecisionContext<'t>,
    pub(super) out: PartialPlan,
    pub(super) changed: Changed,
    /// Whether an incident started or ended: the soak of everything that has landed is derived
    /// again.
    pub(super) turned: bool,
}

impl<'f> Reconciler<'f, '_> {
    /// Reconciles the incidents that have their own issue; returns the indexes in `cases` of those
    /// that need one, the oldest first.
    fn incidents(&mut self, cases: &[Incident<'f>]) -> Vec<usize> {
        let mut openings = Vec::new();
        for (index, case) in cases.iter().enumerate() {
            let wants_issue = match case.present().map(|cycle| &cycle.place) {
                None => self.unshown(case),
                Some(ShownIn::Own(issue)) => self.shown(case, issue),
                // Its storm reconciles it, as long as the storm's issue exists.
                Some(ShownIn::Storm(storm)) => {
                    self.wait(case);
                    let issue = self.eval.facts.storms.get(storm).map(|storm| &storm.issue);
                    let gone = issue.and_then(|issue| self.gone(issue));
                    let from = case.course.last().map(|run| run.from);
                    let is_shown = match issue.and_then(|issue| human_actions::hand(self.eval.facts, issue)) {
                        Some(IssueClosing::NotPlanned(at)) => from <= Some(at) || self.is_suppressed(case, at),
                        _ => gone.is_none_or(|at| from <= Some(at)),
                    };
                    case.standing == IncidentState::Firing && !is_shown
                }
            };
            if wants_issue {
                openings.push(index);
            }
        }
        openings.sort_by_key(|index| (cases[*index].course.last().map(|run| run.from), cases[*index].id));
        openings
    }

    /// Records when each incident was first known to fire, and when it disturbed its environment. A
    /// change of the latter derives the soak there again.
    fn notice(&mut self, cases: &[Incident<'f>]) {
        for case in cases {
            let noticed = case.noticed(self.terms.now);
            let disturbed = disturbed_by(&self.eval, case);
            if noticed != case.facts.noticed || disturbed != case.facts.disturbed {
                self.turned |= disturbed != case.facts.disturbed;
                let changed = self.changed.incidents.entry(case.id.to_owned());
                let incident = changed.or_insert_with(|| case.facts.clone());
                (incident.noticed, incident.disturbed) = (noticed, disturbed);
            }
        }
    }

    /// Returns whether an incident without an issue needs one.
    fn unshown(&mut self, case: &Incident<'f>) -> bool {
        self.wait(case);
        match case.hand(&self.eval) {
            Some(IssueClosing::NotPlanned(at)) if self.is_suppressed(case, at) => false,
            _ => case.standing == IncidentState::Firing,
        }
    }

    /// Returns when one of our issues was deleted or moved, if it was.
    pub(super) fn gone(&self, issue: &IssueFacts) -> Option<Timestamp> {
        self.eval.facts.items.get(&issue.number?)?.gone
    }

    /// Reconciles an incident's own issue; returns whether the incident needs another one.
    fn shown(&mut self, case: &Incident<'f>, issue: &IssueFacts) -> bool {
        self.wait(case);
        let firing = case.standing == IncidentState::Firing;
        let gone = self.gone(issue).is_some();
        let from = case.course.last().map_or(Timestamp::MIN, |run| run.from);
        let (mut left, mut reopen) = (false, false);
        match human_actions::hand(self.eval.facts, issue) {
            Some(IssueClosing::NotPlanned(at)) => return !self.is_suppressed(case, at) && firing,
            Some(IssueClosing::Ended(at)) if from > at && gone => return firing,
            Some(IssueClosing::Ended(at)) if from > at => reopen = firing,
            Some(IssueClosing::Ended(_)) if gone => return false,
            Some(IssueClosing::Ended(_)) => left = true,
            None => {}
        }
        if !issue.firing && matches!(case.standing, IncidentState::Pending { .. } | IncidentState::Resolving { .. }) {
            return false; // too short to show
        }
        let word = case.word(&self.eval);
        if word.muted_until.is_some() {
            self.out.wake(word.muted_until);
            let want = self.want(case, &word, issue.firing);
            let mut kept = issue.clone();
            issue_sync::show_acts(&mut kept, &want, self.terms.now, &mut self.out);
            self.keep(case, issue, kept);
            return false;
        }
        let want = DesiredIssue { left, reopen, ..self.want(case, &word, stands(case.standing, issue.firing)) };
        let mut kept = issue.clone();
        issue_sync::keep(&mut kept, &want, self.terms.now, &mut self.out);
        self.keep(case, issue, kept);
        false
    }

    /// Records an incident's issue, if it changed.
    fn keep(&mut self, case: &Incident<'f>, issue: &IssueFacts, kept: IssueFacts) {
        if kept == *issue {
            return;
        }
        self.turned |= kept.firing != issue.firing;
        if kept.firing != issue.firing {
            self.tell(case, if kept.firing { "fires again" } else { "is over" });
        }
        let mut incident = case.facts.clone();
        if let Some(cycle) = incident.cycles.last_mut() {
            cycle.place = ShownIn::Own(Box::new(kept));
        }
        self.changed.incidents.insert(case.id.to_owned(), incident);
    }

    /// Returns the desired state of an incident's issue.
    pub(super) fn want(&mut self, case: &Incident<'f>, word: &HumanActions<'_>, firing: bool) -> DesiredIssue {
        let stale = match case.is_stale(self.terms.now, self.terms.policy.alerts.stale_after) {
            Ok(()) => true,
            Err(due) => {
                self.out.wake(due);
                false
            }
        };
        let closes = case.closes(&self.eval);
        if let Some(closes) = closes.as_ref().filter(|closes| closes.at > self.terms.now) {
            self.out.wake(Some(closes.at));
        }
        let template = self.terms.alerts.template(&case.facts.connection);
        let below = messages::more(stale, closes.as_ref(), self.terms.now, &self.terms.policy.commands.zone);
        let view = Box::new(case.view(&self.eval, word));
        let comment = case.comment(firing, &view, self.terms.policy.alerts.auto_close);
        DesiredIssue {
            firing,
            stale,
            text: DesiredText::Incident(view, template.map(str::to_owned), below),
            looks: case.traits.looks(),
            phase: first_phase(self.terms.policy),
            assign: case.traits.assign.clone(),
            acts: word.digest(),
            comment,
            left: false,
            reopen: false,
            auto_close: self.terms.policy.alerts.auto_close,
        }
    }

    /// Schedules the next evaluation for when the incident changes its state by time alone.
    fn wait(&mut self, case: &Incident<'f>) {
        if let IncidentState::Pending { until } | IncidentState::Resolving { until } = case.standing {
            self.out.wake(Some(until));
        }
    }

    /// Returns whether an issue closed as not planned still keeps others from being opened.
    fn is_suppressed(&mut self, case: &Incident<'f>, at: Timestamp) -> bool {
        let until = later(at, self.terms.policy.alerts.suppress);
        let suppressed = self.terms.now < until;
        if suppressed && case.standing == IncidentState::Firing {
            self.out.wake(Some(until));
        }
        suppressed
    }

    /// Opens an issue for one incident.
    pub(super) fn open_own(&mut self, case: &Incident<'f>) {
        let want = self.want(case, &HumanActions::default(), true);
        let marker = format!("incident:{}-{}", case.id, case.facts.cycles.len() + 1);
        let issue = issue_sync::open(marker, &want, self.terms.now, &mut self.out);
        self.begin(case, ShownIn::Own(Box::new(issue)));
        self.tell(case, "fires: an issue is opened");
    }

    /// Records where an incident is shown from now on.
    pub(super) fn begin(&mut self, case: &Incident<'f>, place: ShownIn) {
        let mut incident = case.facts.clone();
        let began = case.course.last().map_or(self.terms.now, |run| run.from);
        incident.cycles.push(CycleFacts { began, place });
        self.changed.incidents.insert(case.id.to_owned(), incident);
        self.turned = true;
    }

    pub(super) fn tell(&mut self, case: &Incident<'f>, what: &str) {
        self.out.notes.push(format!("incident {} {what}", case.id));
    }
}

/// Returns whether an incident shows as firing. A pending or resolving one keeps what is shown.
pub(super) fn stands(standing: IncidentState, shown: bool) -> bool {
    match standing {
        IncidentState::Firing => true,
        IncidentState::Pending { .. } | IncidentState::Resolving { .. } => shown,
        IncidentState::Over | IncidentState::Quiet => false,
    }
}

/// Returns the label of the phase in which an open issue starts.
pub(super) fn first_phase(policy: &Policy) -> Option<LabelSpec> {
    let opens = |evidence: &crate::domain::policy::Evidence| {
        evidence.kind == EvidenceKind::IssueOpen && evidence.labels.is_empty()
    };
    let rule = policy.phases.iter().rev().find(|rule| rule.when.iter().any(opens))?;
    Some(LabelSpec { name: rule.label.clone(), color: rule.color.clone(), description: rule.description.clone() })
}

/// Records the outcome of opening an issue.
pub(crate) fn ended(
    facts: &mut RepoFacts,
    effect: &Effect,
    outcome: EffectOutcome<'_>,
    terms: &DecisionContext<'_>,
) -> PartialPlan {
    let Effect::OpenIssue { marker, .. } = effect else { return PartialPlan::default() };
    let mut out = PartialPlan::default();
    let Some((key, issue)) = find(facts, marker).filter(|(_, issue)| issue.number.is_none()) else { return out };
    match outcome {
        EffectOutcome::Done { issue: Some(number), .. } => {
            issue.number = Some(number);
            issue.open_since = terms.now;
            out.items.insert(number);
        }
        EffectOutcome::Done { issue: None, .. } => {
            issue.refused = Some((terms.now, "the forge did not tell the issue's number".to_owned()));
        }
        EffectOutcome::Failed(why) | EffectOutcome::Withheld(why) => issue.refused = Some((terms.now, why.to_owned())),
    }
    facts.reindex(&key);
    out.changed.insert(key);
    out
}

/// Returns the issue with this marker, and its document.
fn find<'a>(facts: &'a mut RepoFacts, marker: &str) -> Option<(DocumentKey, &'a mut IssueFacts)> {
    if let Some(id) = marker.strip_prefix("feedback:") {
        let issue = facts.feedback.get_mut(id)?.issue.as_mut()?;
        return Some((DocumentKey::Feedback(id.to_owned()), issue));
    }
    let id = marker.strip_prefix("incident:")?;
    if let Some(storm) = facts.storms.get_mut(id) {
        return Some((DocumentKey::Storm(id.to_owned()), &mut storm.issue));
    }
    let (id, _) = id.rsplit_once('-')?;
    let cycles = facts.incidents.get_mut(id)?.cycles.iter_mut();
    let issue = cycles.filter_map(|cycle| match &mut cycle.place {
        ShownIn::Own(issue) => Some(&mut **issue),
        ShownIn::Storm(_) => None,
    });
    let issue = issue.into_iter().find(|issue| issue.marker == marker)?;
    Some((DocumentKey::Incident(id.to_owned()), issue))
}
