//! One incident as it stands: its course, what it is about, where it is shown,
//! and what people said of it.

use jiff::Timestamp;

use crate::{
    context::EvalContext,
    domain::{
        alert::{Alert, Group},
        fact::incident::{CycleFacts, IncidentFacts, IssueFacts, ShownIn},
        id::ItemNumber,
        policy::Mode,
    },
    incident::{
        human_actions::{self, HumanActions, IssueClosing},
        ingest::SILENCE,
        loop_closure::{self, Loop},
        messages,
        route::Traits,
        suspect::suspects,
        timeline::{FiringPeriod, IncidentState, Timeline},
        view::{IncidentView, StormLine},
    },
};

/// One incident at a moment.
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
        let traits = portrait.map_or_else(Traits::default, |group| Traits::of(group, &eval.policy.alerts));
        Self { id, facts, traits, course, standing }
    }

    /// Since when it is known to fire, from now on.
    pub(super) fn noticed(&self, now: Timestamp) -> Option<Timestamp> {
        match self.standing {
            IncidentState::Pending { .. } | IncidentState::Firing => self.facts.noticed.or(Some(now)),
            IncidentState::Resolving { .. } => self.facts.noticed,
            IncidentState::Over | IncidentState::Quiet => None,
        }
    }

    /// Where it is shown, if that is still the same incident: less than the
    /// reopen window passed since it was last on.
    pub(super) fn present(&self) -> Option<&'f CycleFacts> {
        let last = self.facts.cycles.last()?;
        (self.course.cycle? <= last.began).then_some(last)
    }

    /// What somebody else did to the issue that shows it, or showed it last.
    pub(super) fn hand(&self, eval: &EvalContext<'f>) -> Option<IssueClosing> {
        human_actions::hand(eval.facts, issue_of(eval, self.facts.cycles.last()?)?)
    }

    /// The number of the issue that shows it.
    pub(super) fn item(&self, eval: &EvalContext<'f>) -> Option<ItemNumber> {
        issue_of(eval, self.present()?)?.number
    }

    /// What was said on the issue that shows it.
    pub(super) fn word(&self, eval: &EvalContext<'f>) -> HumanActions<'f> {
        self.item(eval).map(|number| human_actions::word(eval.facts, number, eval.now)).unwrap_or_default()
    }

    /// Nothing was heard of it for long, and nobody tells when it is over.
    pub(super) fn is_stale(&self, now: Timestamp, after: jiff::SignedDuration) -> Result<(), Option<Timestamp>> {
        let cut_short = self.facts.cut_at.is_some() && self.facts.cut_at >= self.facts.whole_at;
        if self.standing != IncidentState::Firing || (self.facts.tells_end() && !cut_short) || self.is_silence() {
            return Err(None);
        }
        let due = self.facts.heard_at().and_then(|at| at.checked_add(after).ok());
        if due.is_some_and(|due| due <= now) { Ok(()) } else { Err(due) }
    }

    /// It is a connection that is not heard of.
    pub(super) fn is_silence(&self) -> bool {
        self.facts.key == SILENCE
    }

    /// When its loop closes.
    pub(super) fn closes(&self, eval: &EvalContext<'f>) -> Option<Loop> {
        let (item, run) = (self.item(eval)?, self.course.last()?);
        loop_closure::closes(eval, item, self.traits.environment.as_deref(), run, eval.policy.alerts.grace)
    }

    /// How it stands, in a word.
    pub(super) fn state(&self, muted: bool) -> &'static str {
        match self.standing {
            IncidentState::Over | IncidentState::Quiet => "resolved",
            _ if muted => "muted",
            IncidentState::Resolving { .. } => "resolving",
            IncidentState::Firing | IncidentState::Pending { .. } => "firing",
        }
    }

    /// What its issue tells, as far as it is the source's.
    pub(super) fn view(&self, eval: &EvalContext<'f>, word: &HumanActions<'_>) -> IncidentView {
        let run = self.course.last();
        let began = run.map_or(eval.now, |run| run.from);
        let environment = self.traits.environment.as_deref();
        // Who says that no change did it leaves none to suspect.
        let cleared = matches!(word.cause, Some((None, _)));
        let named = environment.filter(|_| !cleared).map(|name| suspects(eval, name, began)).unwrap_or_default();
        let acts = eval.policy.mode == Mode::Act;
        let undo = environment.filter(|name| acts && self.standing.is_on() && !named.is_empty() && is_plain(name));
        let silence = silence_of(self.facts);
        let group = self.facts.portrait.as_ref().map_or(&silence, |portrait| &portrait.value);
        IncidentView {
            id: self.id.to_owned(),
            connection: self.facts.connection.clone(),
            state: self.state(word.muted_until.is_some()).to_owned(),
            title: self.title(),
            text: group.text.clone(),
            url: group.url.clone(),
            labels: group.labels.clone(),
            severity: self.traits.severity.clone(),
            environment: environment.map(str::to_owned),
            started_at: began,
            ended_at: run.and_then(|run| run.until).filter(|_| self.standing == IncidentState::Over),
            alerts: self.alerts(group),
            left_out: group.left_out,
            flaps: u64::from(run.map_or(0, |run| run.flaps)),
            acked_by: word.acked.filter(|(_, at)| *at >= began).map(|(by, _)| by.to_owned()),
            muted_until: word.muted_until,
            previous: self.previous(eval),
            rollback: undo.map(|name| format!("/rollback {name}")),
            suspects: named,
            cause: word.cause.map(|(change, by)| format!("{} (said {by})", change.unwrap_or("no change"))),
        }
    }

    /// The line of a storm's issue.
    pub(super) fn line(&self, eval: &EvalContext<'f>) -> StormLine {
        StormLine {
            title: self.title(),
            state: self.state(false).to_owned(),
            severity: self.traits.severity.clone(),
            started_at: self.course.last().map_or(eval.now, |run| run.from),
            item: None,
        }
    }

    /// The source's title, or the name of its first alert.
    pub(super) fn title(&self) -> String {
        if self.is_silence() {
            return format!("Nothing is heard of {}", self.facts.connection);
        }
        let Some(group) = self.facts.portrait.as_ref().map(|portrait| &portrait.value) else { return String::new() };
        let of = |alert: &Alert| alert.annotations.get("summary").or_else(|| alert.labels.get("alertname")).cloned();
        group.title.clone().or_else(|| group.alerts.iter().find_map(of)).unwrap_or_else(|| group.key.clone())
    }

    /// The alerts that its issue lists, each as it stands by now.
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

    /// The issue before the present one.
    fn previous(&self, eval: &EvalContext<'f>) -> Option<ItemNumber> {
        let last = self.facts.cycles.iter().rev();
        let before = last.skip(usize::from(self.present().is_some()));
        let item = self.item(eval);
        before.filter_map(|cycle| issue_of(eval, cycle)?.number).find(|number| Some(*number) != item)
    }

    /// The comment if it turns now; a person who said that it is over needs none.
    pub(super) fn comment(&self, firing: bool) -> Option<String> {
        let run: Option<FiringPeriod> = self.course.last();
        if firing {
            return Some(messages::again(run));
        }
        (!run.is_some_and(|run| run.by_hand)).then(|| messages::resolved(run))
    }
}

/// The issue that a cycle is shown in.
pub(super) fn issue_of<'f>(eval: &EvalContext<'f>, cycle: &'f CycleFacts) -> Option<&'f IssueFacts> {
    match &cycle.place {
        ShownIn::Own(issue) => Some(issue),
        ShownIn::Storm(id) => eval.facts.storms.get(id).map(|storm| &storm.issue),
    }
}

/// Whether a name can stand in a command line as it is.
fn is_plain(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/'))
}

/// What a connection's silence looks like.
fn silence_of(facts: &IncidentFacts) -> Group {
    let text = "This connection has to be heard of regularly, and was not. Alerts may be lost on their way.";
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
