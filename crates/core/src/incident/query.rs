//! Incident queries for the soak, the gates, the status comments, and an issue's history.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::{
    context::EvalContext,
    domain::{
        derived::{Reason, Transition},
        fact::{
            DocumentKey, RepoFacts,
            incident::{CycleFacts, IncidentFacts, ShownIn},
        },
        id::ItemId,
        policy::Policy,
    },
    incident::{
        human_actions::{self, IssueClosing},
        later, messages,
        state::{Incident, issue_of},
        suspect::{suspected_deployments, suspects},
        timeline::IncidentState,
    },
};

/// An open incident.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenIncident {
    /// Its id, as in the issue's marker.
    pub id: String,
    /// The issue that shows it, once it is open.
    pub issue: Option<ItemId>,
    /// Its title, sanitized for a line of Markdown.
    pub title: String,
    /// Its environment in lower case, if known.
    pub environment: Option<String>,
    /// Start of its latest firing period.
    pub since: Timestamp,
    /// Time at which it resolves if it stays quiet; `None` while it fires.
    pub ends_at: Option<Timestamp>,
    /// End of its mute, if a person muted it.
    pub muted_until: Option<Timestamp>,
}

/// Returns the open incidents of an environment, or of all if `environment` is `None`, the oldest
/// first. An incident without an environment concerns every environment. Excludes incidents that
/// have not fired for `hold` yet, and those whose issue a person closed.
pub fn open_incidents(
    facts: &RepoFacts,
    policy: &Policy,
    environment: Option<&str>,
    now: Timestamp,
) -> Vec<OpenIncident> {
    let eval = &EvalContext::new(facts, policy, now);
    let wanted = environment.map(str::to_lowercase);
    let mut open = Vec::new();
    for (id, incident) in &eval.facts.incidents {
        let case = Incident::new(eval, id, incident);
        let named = case.traits.environment.as_ref();
        let elsewhere = wanted.is_some() && named.is_some() && named != wanted.as_ref();
        if elsewhere || !case.standing.is_on() || is_closed(eval, &case) {
            continue;
        }
        open.push(OpenIncident {
            id: id.clone(),
            issue: case.item(eval),
            title: crate::text::sanitize::inline(&case.title(), 120),
            environment: case.traits.environment.clone(),
            since: case.course.last().map_or(eval.now, |run| run.from),
            ends_at: if let IncidentState::Resolving { until } = case.standing { Some(until) } else { None },
            muted_until: case.word(eval).muted_until,
        });
    }
    open.sort_by(|a, b| (a.since, &a.id).cmp(&(b.since, &b.id)));
    open
}

/// An incident that an automatic rollback may end.
pub(crate) struct Trouble {
    /// Its id.
    pub(crate) id: String,
    /// The open issue that shows it.
    pub(crate) issue: ItemId,
    pub(crate) severity: Option<String>,
    /// Start of its latest firing period, by its source's clock.
    pub(crate) since: Timestamp,
    /// Deployments that may have caused it.
    pub(crate) suspects: Vec<u64>,
}

impl EvalContext<'_> {
    /// Returns the issue that shows an incident.
    pub(crate) fn issue_of(&self, incident: &str) -> Option<ItemId> {
        let (id, facts) = self.facts.incidents.get_key_value(incident)?;
        Incident::new(self, id, facts).item(self)
    }

    /// Returns the incidents that name an environment (lower case), fire there now and have done so
    /// for `hold`, show in an open issue, and that nobody has muted or named the cause of.
    pub(crate) fn troubles_in(&self, environment: &str) -> Vec<Trouble> {
        let mut found = Vec::new();
        for (id, incident) in &self.facts.incidents {
            let case = Incident::new(self, id, incident);
            let is_here = case.traits.environment.as_deref() == Some(environment);
            if !is_here || case.standing != IncidentState::Firing || is_closed(self, &case) {
                continue;
            }
            let (Some(issue), Some(run), word) = (case.item(self), case.course.last(), case.word(self)) else {
                continue;
            };
            if word.muted_until.is_some() || word.cause.is_some() {
                continue;
            }
            let has_fired_for_hold = disturbed_by(self, &case).iter().any(|(from, _)| *from == run.from);
            if !has_fired_for_hold {
                continue;
            }
            found.push(Trouble {
                id: id.clone(),
                issue,
                severity: case.traits.severity.clone(),
                since: run.from,
                suspects: suspected_deployments(self, environment, run.from),
            });
        }
        found
    }
}

/// Returns whether a person closed the issue of the current firing period.
fn is_closed<'f>(eval: &EvalContext<'f>, case: &Incident<'f>) -> bool {
    let from = case.course.last().map_or(Timestamp::MIN, |run| run.from);
    match case.hand(eval) {
        Some(IssueClosing::Ended(at)) => from <= at,
        Some(IssueClosing::NotPlanned(at)) => later(at, eval.policy.alerts.suppress) > eval.now,
        None => false,
    }
}

/// Periods in which incidents disturbed each environment, by its name.
pub(crate) type Disturbances = BTreeMap<String, Vec<(Timestamp, Option<Timestamp>)>>;

/// Returns when incidents disturbed each environment, in order of time. The empty name holds the
/// incidents without an environment.
pub(crate) fn disturbances(eval: &EvalContext<'_>) -> Disturbances {
    let mut found = Disturbances::new();
    for (id, incident) in &eval.facts.incidents {
        let case = Incident::new(eval, id, incident);
        let environment = case.traits.environment.clone().unwrap_or_default();
        found.entry(environment).or_default().extend(disturbed_by(eval, &case));
    }
    for times in found.values_mut() {
        times.sort_unstable();
    }
    found
}

/// Returns when an incident disturbed its environment: while it fired for at least `hold`, until a
/// person resolved it. An incident closed as not planned does not count for as long as that
/// suppresses it.
pub(super) fn disturbed_by<'f>(eval: &EvalContext<'f>, case: &Incident<'f>) -> Vec<(Timestamp, Option<Timestamp>)> {
    let hand = case.hand(eval);
    let alerts = &eval.policy.alerts;
    let ripe = case.course.runs.iter().filter(|run| {
        let ripe = later(run.from, alerts.hold);
        run.until.unwrap_or(eval.now) >= ripe
    });
    let until = ripe.filter_map(|run| match hand {
        Some(IssueClosing::NotPlanned(at)) => {
            let is_kept_away = run.from < later(at, alerts.suppress);
            let is_it = run.until.is_none_or(|end| end >= at) && is_kept_away;
            (!is_it).then_some((run.from, run.until))
        }
        Some(IssueClosing::Ended(at)) if run.from <= at => {
            Some((run.from, crate::domain::when::earlier(run.until, Some(at))))
        }
        _ => Some((run.from, run.until)),
    });
    until.collect()
}

/// One cycle of an incident: all the times that it fired with gaps no longer than the reopen window.
#[derive(Debug, Clone)]
pub(crate) struct IncidentCycle {
    /// Its id.
    pub(crate) id: String,
    /// Its environment in lower case, if known.
    pub(crate) environment: Option<String>,
    /// Its beginning, by its source's clock.
    pub(crate) began: Timestamp,
    /// Its last end, by its source's clock; `None` while it fires.
    pub(crate) ended: Option<Timestamp>,
    /// The changes that people named as its cause, the last one last; `None`: no change.
    pub(crate) causes: Vec<Option<String>>,
    /// Time at which its loop closed.
    pub(crate) loop_closed: Option<Timestamp>,
}

/// Returns the cycles of an incident that count, oldest first; empty if it never counted.
pub(crate) fn cycles_of(eval: &EvalContext<'_>, id: &str) -> Vec<IncidentCycle> {
    let Some((id, facts)) = eval.facts.incidents.get_key_value(id) else { return Vec::new() };
    let case = Incident::new(eval, id, facts);
    let mut cycles: Vec<IncidentCycle> = Vec::new();
    for (from, until) in disturbed_by(eval, &case) {
        if let Some(last) = cycles.last_mut()
            && last.ended.is_none_or(|end| from.duration_since(end) <= eval.policy.alerts.reopen_window)
        {
            last.ended = last.ended.and(until);
            continue;
        }
        let environment = case.traits.environment.clone();
        let (id, causes) = (id.clone(), Vec::new());
        cycles.push(IncidentCycle { id, environment, began: from, ended: until, causes, loop_closed: None });
    }
    // A cycle is shown no earlier than it began, and before the next one does.
    let nexts: Vec<Timestamp> = cycles.iter().skip(1).map(|cycle| cycle.began).chain([Timestamp::MAX]).collect();
    for (cycle, next) in cycles.iter_mut().zip(nexts) {
        let shown = facts.cycles.iter().rev().find(|shown| shown.began >= cycle.began && shown.began < next);
        let issue = shown.and_then(|shown| issue_of(eval, shown)?.number);
        cycle.causes = issue.into_iter().flat_map(|issue| human_actions::causes(eval.facts, issue)).collect();
    }
    if let Some(last) = cycles.last_mut() {
        last.loop_closed = case.closes(eval).map(|closed| closed.at).filter(|at| *at <= eval.now);
    }
    cycles
}

/// When one incident fired, whether or not that counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Firings {
    /// Its environment in lower case, if known.
    pub(crate) environment: Option<String>,
    /// Beginning and end of each time, oldest first; no end while it fires.
    pub(crate) times: Vec<(Timestamp, Option<Timestamp>)>,
}

/// Returns when an incident fired.
pub(crate) fn firings(eval: &EvalContext<'_>, id: &str, facts: &IncidentFacts) -> Firings {
    // With its alerts as they are given, and people's words on record.
    let eval = EvalContext::new(eval.facts, eval.policy, eval.now);
    let case = Incident::new(&eval, id, facts);
    let times = case.course.runs.iter().map(|run| (run.from, run.until)).collect();
    Firings { environment: case.traits.environment, times }
}

/// Returns the beginning of the cycle that an issue shows, as it was when the issue was opened.
pub(crate) fn shown_cycle(facts: &RepoFacts, id: &str, issue: ItemId) -> Option<Timestamp> {
    let is_it = |cycle: &&CycleFacts| match &cycle.place {
        ShownIn::Own(shown) => shown.number == Some(issue),
        ShownIn::Storm(_) => false,
    };
    facts.incidents.get(id)?.cycles.iter().find(is_it).map(|cycle| cycle.began)
}

/// Returns the ids of the deployments that may have caused an incident which began at `began`.
pub(crate) fn suspects_of(eval: &EvalContext<'_>, environment: &str, began: Timestamp) -> Vec<u64> {
    suspected_deployments(eval, environment, began)
}

/// Returns the incident whose feedback issue this is.
pub(crate) fn shown_by(facts: &RepoFacts, issue: ItemId) -> Option<&str> {
    if let DocumentKey::Incident(id) = facts.index.shown_in.get(&issue)? { Some(id) } else { None }
}

/// Returns the origin of a feedback issue as a transition of its history: the alert arrives in the
/// last phase, and the issue is planned from there on.
pub(crate) fn origin(eval: &EvalContext<'_>, issue: ItemId) -> Option<Transition> {
    let DocumentKey::Incident(id) = eval.facts.index.shown_in.get(&issue)? else { return None };
    let incident = eval.facts.incidents.get(id)?;
    let case = Incident::new(eval, id, incident);
    let cycle = incident.cycles.iter().find(|cycle| issue_of(eval, cycle).is_some_and(|i| i.number == Some(issue)))?;
    let phases = &eval.policy.phases;
    let last = phases.iter().find(|rule| rule.name.eq_ignore_ascii_case("monitor")).or(phases.last())?;
    let sentence = messages::origin(case.traits.environment.as_deref());
    let reason = Reason { code: "alert".into(), sentence, rule: String::new() };
    Some(Transition { at: cycle.began, to: Some(last.name.clone()), reason })
}

/// Returns the feedback issues of incidents that an item's change may have caused.
pub(crate) fn suspected_in(eval: &EvalContext<'_>, item: ItemId) -> Vec<ItemId> {
    let mut found = Vec::new();
    for (id, incident) in &eval.facts.incidents {
        let case = Incident::new(eval, id, incident);
        let (Some(issue), Some(run), Some(place)) = (case.item(eval), case.course.last(), &case.traits.environment)
        else {
            continue;
        };
        if suspects(eval, place, run.from).iter().any(|suspect| suspect.items.contains(&item)) {
            found.push(issue);
        }
    }
    found.sort_unstable();
    found
}
