//! One incident: its state, timeline, properties, issue, and human actions.

use jiff::Timestamp;

use crate::{
    context::EvalContext,
    domain::{
        alert::{Alert, Group},
        fact::incident::{CycleFacts, IncidentFacts, IssueFacts, ShownIn},
        id::ItemId,
        policy::Mode,
    },
    incident::{
        human_actions::{self, HumanActions, IssueClosing},
        ingest::SILENCE,
        loop_closure::{self, Loop},
        messages::{self, Care},
        route::Traits,
        suspect::suspects,
        timeline::{FiringPeriod, IncidentState, Timeline},
        view::{Fix, IncidentView, StormLine},
    },
    text::times::Times,
};

/// An incident at a given time.
pub(super) struct Incident<'f> {
    pub(super) id: &'f str,
    pub(super) facts: &'f IncidentFacts,
    pub(super) traits: Traits,
    pub(super) course: Timeline,
    pub(super) standing: IncidentState,
}

impl<'f> Incident<'f> {
    pub(super) fn new(eval: &EvalContext<'f>, id: &'f str, facts: &'f IncidentFacts) -> Self {
        let issues = facts.cycles.iter().filter_map(|cycle| issue_of(eval, cycle)?.number);
        let mut over: Vec<Timestamp> =
            issues.flat_map(|number| human_actions::word(eval.facts, number, eval.now).over).collect();
        over.sort_unstable();
        let course = Timeline::new(facts, &over, &eval.policy.alerts);
        let standing = course.standing(eval.now);
        let portrait = facts.portrait.as_ref().map(|portrait| &portrait.value);
        let mut traits = portrait.map_or_else(Traits::default, |group| Traits::of(group, &eval.policy.alerts));
        traits.find_service(eval.policy);
        Self { id, facts, traits, course, standing }
    }

    /// Returns since when it is known to fire, if `now` is the time of this evaluation.
    pub(super) fn noticed(&self, now: Timestamp) -> Option<Timestamp> {
        match self.standing {
            IncidentState::Pending { .. } | IncidentState::Firing => self.facts.noticed.or(Some(now)),
            IncidentState::Resolving { .. } => self.facts.noticed,
            IncidentState::Over | IncidentState::Quiet => None,
        }
    }

    /// Returns the current cycle, if it is still the same incident: it last fired less than the
    /// reopen window ago.
    pub(super) fn present(&self) -> Option<&'f CycleFacts> {
        let last = self.facts.cycles.last()?;
        (self.course.cycle? <= last.began).then_some(last)
    }

    /// Returns how someone else closed the issue that shows it, or showed it last.
    pub(super) fn hand(&self, eval: &EvalContext<'f>) -> Option<IssueClosing> {
        human_actions::hand(eval.facts, issue_of(eval, self.facts.cycles.last()?)?)
    }

    /// Returns the number of the issue that shows it.
    pub(super) fn item(&self, eval: &EvalContext<'f>) -> Option<ItemId> {
        issue_of(eval, self.present()?)?.number
    }

    /// Returns the human actions on the issue that shows it.
    pub(super) fn word(&self, eval: &EvalContext<'f>) -> HumanActions<'f> {
        self.item(eval).map(|number| human_actions::word(eval.facts, number, eval.now)).unwrap_or_default()
    }

    /// Returns `Ok` if it is stale: no message for a long time from a source that does not report
    /// the end. Otherwise `Err` with the time at which it becomes stale, if it can.
    pub(super) fn is_stale(&self, now: Timestamp, after: jiff::SignedDuration) -> Result<(), Option<Timestamp>> {
        let cut_short = self.facts.cut_at.is_some() && self.facts.cut_at >= self.facts.whole_at;
        if self.standing != IncidentState::Firing || (self.facts.tells_end() && !cut_short) || self.is_silence() {
            return Err(None);
        }
        let due = self.facts.heard_at().and_then(|at| at.checked_add(after).ok());
        if due.is_some_and(|due| due <= now) { Ok(()) } else { Err(due) }
    }

    /// Returns whether it is a missed heartbeat.
    pub(super) fn is_silence(&self) -> bool {
        self.facts.key == SILENCE
    }

    /// Returns when its loop closes.
    pub(super) fn closes(&self, eval: &EvalContext<'f>) -> Option<Loop> {
        let (item, run) = (self.item(eval)?, self.course.last()?);
        loop_closure::closes(eval, item, self.traits.environment.as_deref(), run, eval.policy.alerts.grace)
    }

    /// Returns its state as one word.
    pub(super) fn state(&self, muted: bool) -> &'static str {
        match self.standing {
            IncidentState::Over | IncidentState::Quiet => "resolved",
            _ if muted => "muted",
            IncidentState::Resolving { .. } => "resolving",
            IncidentState::Firing | IncidentState::Pending { .. } => "firing",
        }
    }

    /// Returns what its issue shows, with the source's text unsanitized.
    pub(super) fn view(&self, eval: &EvalContext<'f>, word: &HumanActions<'_>) -> IncidentView {
        let run = self.course.last();
        let began = run.map_or(eval.now, |run| run.from);
        let environment = self.traits.environment.as_deref();
        // If a person said that no change caused it, no deployment is a suspect.
        let cleared = matches!(word.cause, Some((None, _)));
        let named = environment.filter(|_| !cleared).map(|name| suspects(eval, name, began)).unwrap_or_default();
        let acts = eval.policy.mode == Mode::Act;
        let undo = environment.filter(|name| acts && self.standing.is_on() && !named.is_empty() && is_plain(name));
        let silence = silence_of(self.facts);
        let group = self.facts.portrait.as_ref().map_or(&silence, |portrait| &portrait.value);
        let ended = run.and_then(|run| run.until).filter(|_| self.standing == IncidentState::Over);
        let acked = word.acked.filter(|(_, at)| *at >= began);
        let named_cause = word.cause.and_then(|(change, _)| change);
        let cause_item = named_cause.and_then(|change| change.strip_prefix('#')?.parse().ok());
        let rollback = undo.map(|name| format!("/rollback {name}"));
        let state = self.state(word.muted_until.is_some());
        let care = Care {
            resolved: state == "resolved",
            closes: eval.policy.alerts.auto_close,
            acked,
            muted_until: word.muted_until,
            rollback: rollback.as_deref(),
        };
        IncidentView {
            turn: messages::turn(&care, &Times::new(&eval.policy.commands.zone, began)),
            id: self.id.to_owned(),
            connection: self.facts.connection.clone(),
            state: state.to_owned(),
            title: self.title(),
            text: group.text.clone(),
            url: group.url.clone(),
            labels: group.labels.clone(),
            severity: self.traits.severity.clone(),
            environment: environment.map(str::to_owned),
            started_at: began,
            ended_at: ended,
            alerts: self.alerts(group),
            left_out: group.left_out,
            flaps: u64::from(run.map_or(0, |run| run.flaps)),
            lasted: ended.map(|until| messages::lasting(until.duration_since(began))),
            service: self.traits.service.clone(),
            acked_by: acked.map(|(by, _)| by.to_owned()),
            acked_at: acked.map(|(_, at)| at),
            muted_until: word.muted_until,
            previous: self.previous(eval),
            rollback,
            suspects: named,
            cause: word
                .cause
                .filter(|_| cause_item.is_none())
                .map(|(change, _)| change.unwrap_or("no change").trim_matches('`').to_owned()),
            cause_item,
            cause_title: cause_item
                .and_then(|item| eval.facts.items.get(&item)?.title.as_ref())
                .map(|title| title.value.clone()),
            cause_by: word.cause.map(|(_, by)| by.to_owned()),
            fix: self.fix(eval),
            zone: eval.policy.commands.zone.clone(),
        }
    }

    /// Returns the linked change that runs where it fired since then.
    fn fix(&self, eval: &EvalContext<'f>) -> Option<Fix> {
        let closes = self.closes(eval)?;
        Some(Fix { item: closes.pull, since: closes.since })
    }

    /// Returns its row in a storm's issue.
    pub(super) fn line(&self, eval: &EvalContext<'f>) -> StormLine {
        StormLine {
            title: self.title(),
            state: self.state(false).to_owned(),
            severity: self.traits.severity.clone(),
            started_at: self.course.last().map_or(eval.now, |run| run.from),
            item: None,
        }
    }

    /// Returns the source's title, or the name of its first alert.
    pub(super) fn title(&self) -> String {
        if self.is_silence() {
            return format!("No heartbeat from {}", self.facts.connection);
        }
        let Some(group) = self.facts.portrait.as_ref().map(|portrait| &portrait.value) else { return String::new() };
        let of = |alert: &Alert| alert.annotations.get("summary").or_else(|| alert.labels.get("alertname")).cloned();
        group.title.clone().or_else(|| group.alerts.iter().find_map(of)).unwrap_or_else(|| group.key.clone())
    }

    /// Returns the alerts that its issue lists, each with its current state.
    fn alerts(&self, group: &Group) -> Vec<Alert> {
        let over = matches!(self.standing, IncidentState::Over | IncidentState::Resolving { .. });
        let stands = |alert: &Alert| {
            let mut alert = alert.clone();
            let known = self.facts.episodes.iter().filter(|(key, _)| key.fingerprint == alert.fingerprint);
            let fires = known.map(|(_, episode)| episode).any(|episode| {
                episode.ended.value.is_none() && self.facts.whole_at.is_none_or(|at| at <= episode.ended.at)
            });
            alert.firing = fires && !over;
            alert
        };
        let mut alerts: Vec<Alert> = group.alerts.iter().map(stands).collect();
        alerts.sort_by_key(|alert| (!alert.firing, alert.started_at, alert.fingerprint.clone()));
        alerts
    }

    /// Returns the issue before the present one.
    fn previous(&self, eval: &EvalContext<'f>) -> Option<ItemId> {
        let last = self.facts.cycles.iter().rev();
        let before = last.skip(usize::from(self.present().is_some()));
        let item = self.item(eval);
        before.filter_map(|cycle| issue_of(eval, cycle)?.number).find(|number| Some(*number) != item)
    }

    /// Returns the comment to post if its state changes now. Nothing is posted if a person resolved
    /// it.
    pub(super) fn comment(&self, firing: bool, view: &IncidentView, closes: bool) -> Option<String> {
        let run: Option<FiringPeriod> = self.course.last();
        if firing {
            return Some(messages::again(run, &view.zone));
        }
        (!run.is_some_and(|run| run.by_hand)).then(|| messages::resolved(run, Some(view), closes))
    }
}

/// Returns the issue that shows a cycle.
pub(super) fn issue_of<'f>(eval: &EvalContext<'f>, cycle: &'f CycleFacts) -> Option<&'f IssueFacts> {
    match &cycle.place {
        ShownIn::Own(issue) => Some(issue),
        ShownIn::Storm(id) => eval.facts.storms.get(id).map(|storm| &storm.issue),
    }
}

/// Returns whether a name can appear in a command without quotes.
pub(super) fn is_plain(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/'))
}

/// Returns the group that describes a connection's missed heartbeat.
fn silence_of(facts: &IncidentFacts) -> Group {
    let text = "This connection must send a heartbeat regularly, and none came. Alerts may be lost on their way.";
    Group {
        key: facts.key.clone(),
        title: None,
        text: Some(text.to_owned()),
        url: None,
        labels: std::collections::BTreeMap::new(),
        alerts: Vec::new(),
        left_out: 0,
        tells_end: true,
    }
}
