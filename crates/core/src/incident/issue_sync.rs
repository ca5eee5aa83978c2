//! Keeps one issue of ours up to date: text, labels, state, and a comment at
//! each turn.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};

use crate::{
    domain::{
        alert::Feedback,
        effect::{Effect, LabelSpec},
        fact::incident::IssueFacts,
        id::ItemNumber,
    },
    incident::{
        render::{self, Rendered},
        route,
        view::{IncidentView, StormLine},
    },
    plan::{PartialPlan, PlannedEffect},
};

/// Title and text are written at most once in this time.
const TEXT_EVERY: SignedDuration = SignedDuration::from_secs(60);
/// An issue that the forge would not open is asked for again after this long.
const ASK_AGAIN: SignedDuration = SignedDuration::from_hours(1);

/// What a title and text are made of. Making them costs time, so that they are
/// made only when this differs from what was last written.
pub(super) enum DesiredText {
    /// An incident: what it tells, the operator's template, and what follows below.
    Incident(Box<IncidentView>, Option<String>, String),
    /// A storm: its rows, and the connections that told of them.
    Storm(Vec<StormLine>, String),
    /// A user's words.
    Feedback(Box<Feedback>, String),
}

impl DesiredText {
    /// The title and text.
    pub(super) fn render(&self) -> Rendered {
        match self {
            Self::Incident(view, template, below) => {
                let mut text = render::render(template.as_deref(), view);
                text.body.push_str(below);
                text
            }
            Self::Storm(lines, connections) => render::storm(lines, connections),
            Self::Feedback(said, connection) => render::feedback(said, connection),
        }
    }

    /// Short hash of what they are made of.
    fn digest(&self) -> String {
        let parts = match self {
            Self::Incident(view, template, below) => serde_json::to_string(&(view, template, below)),
            Self::Storm(lines, connections) => serde_json::to_string(&(lines, connections)),
            Self::Feedback(said, connection) => serde_json::to_string(&(said, connection)),
        };
        hex::encode(Sha256::digest(parts.unwrap_or_default())).chars().take(16).collect()
    }
}

/// How an issue should be.
pub(super) struct DesiredIssue {
    /// Shown as firing; else as resolved.
    pub(super) firing: bool,
    /// Shown as stale.
    pub(super) stale: bool,
    /// Title and text.
    pub(super) text: DesiredText,
    /// Its labels, beside those that tell how it stands.
    pub(super) looks: Vec<LabelSpec>,
    /// The label of its first phase: put on when it is opened, and then its
    /// phase's own business.
    pub(super) phase: Option<LabelSpec>,
    /// Who is assigned when it is opened.
    pub(super) assign: Vec<String>,
    /// The comment if it turns now; `None`: none.
    pub(super) comment: Option<String>,
    /// A person closed it: it stays closed, and nobody is told anything more.
    pub(super) left: bool,
    /// A person closed it before it fired again: it is to be opened again.
    pub(super) reopen: bool,
    /// It is closed when it is resolved.
    pub(super) auto_close: bool,
}

/// Asks for a new issue.
pub(super) fn open(marker: String, want: &DesiredIssue, now: Timestamp, out: &mut PartialPlan) -> IssueFacts {
    IssueFacts { firing: want.firing, stale: want.stale, ..open_plain(marker, first(want), &want.text, now, out) }
}

/// Asks for a new issue that tells of no incident.
pub(super) fn open_plain(
    marker: String,
    looks: Vec<LabelSpec>,
    text: &DesiredText,
    now: Timestamp,
    out: &mut PartialPlan,
) -> IssueFacts {
    let mut issue = IssueFacts {
        marker,
        asked_at: now,
        asked: 0,
        refused: None,
        number: None,
        opened_with: BTreeSet::new(),
        labels: BTreeSet::new(),
        assigned: false,
        firing: false,
        open: true,
        open_since: now,
        turns: 0,
        stale: false,
        text: (String::new(), now),
    };
    ask(&mut issue, looks, text, now, out);
    issue
}

/// Sends for the issue.
pub(super) fn ask(
    issue: &mut IssueFacts,
    labels: Vec<LabelSpec>,
    text: &DesiredText,
    now: Timestamp,
    out: &mut PartialPlan,
) {
    issue.asked += 1;
    issue.refused = None;
    issue.opened_with = names(&labels);
    issue.labels = issue.opened_with.clone();
    issue.text = (text.digest(), now);
    let Rendered { title, body, problem } = text.render();
    out.notes.extend(problem.map(|why| format!("the operator's template was not used: {why}")));
    let key = format!("open/{}/{}", issue.marker, issue.asked);
    let effect = Effect::OpenIssue { marker: issue.marker.clone(), title, body, labels, gate: None };
    out.effects.push(PlannedEffect { key, replaces: false, effect });
}

/// Brings an issue that exists to what it should be.
pub(super) fn keep(issue: &mut IssueFacts, want: &DesiredIssue, now: Timestamp, out: &mut PartialPlan) {
    let Some(number) = issue.number else {
        if let Some((at, _)) = &issue.refused
            && want.firing
        {
            let again = at.checked_add(ASK_AGAIN).unwrap_or(Timestamp::MAX);
            if again <= now {
                ask(issue, first(want), &want.text, now, out);
            } else {
                out.wake(Some(again));
            }
        }
        return;
    };
    let marker = issue.marker.clone();
    let wish =
        |key: &str, replaces: bool, effect: Effect| PlannedEffect { key: format!("{key}/{marker}"), replaces, effect };
    if !issue.assigned {
        issue.assigned = true;
        if !want.assign.is_empty() {
            let effect = Effect::Assign { item: number, logins: want.assign.clone(), command: None };
            out.effects.push(wish("assign", false, effect));
        }
    }
    let turned = issue.firing != want.firing;
    let meant = names(&want.looks.iter().cloned().chain(shown(want)).collect::<Vec<_>>());
    if turned || meant.iter().any(|name| !issue.labels.contains(name)) || issue.stale != want.stale {
        (issue.firing, issue.stale, issue.labels) = (want.firing, want.stale, meant);
        out.effects.push(wish("labels", true, labels(issue, want, number)));
    }
    if turned {
        issue.turns += 1;
        if let Some(body) = want.comment.clone().filter(|_| !want.left) {
            let said = format!("{marker}:{}", issue.turns);
            let effect = Effect::UpsertComment { item: number, marker: said, body, sticky: false };
            out.effects.push(wish(&format!("turn/{}", issue.turns), false, effect));
        }
    }
    let open = if want.firing { issue.open || turned } else { issue.open && !(turned && want.auto_close) };
    if !want.left && (open != issue.open || want.reopen) {
        (issue.open, issue.open_since) = (open, now);
        out.effects.push(wish("state", true, Effect::SetIssueState { item: number, open }));
    }
    let text = want.text.digest();
    if text != issue.text.0 {
        let due = issue.text.1.checked_add(TEXT_EVERY).unwrap_or(Timestamp::MAX);
        if turned || due <= now {
            issue.text = (text, now);
            let Rendered { title, body, .. } = want.text.render();
            out.effects.push(wish(
                "text",
                true,
                Effect::EditIssue { item: number, marker: marker.clone(), title, body },
            ));
        } else {
            out.wake(Some(due));
        }
    }
}

/// The labels that tell how it stands, and those that are other ones than it
/// was opened with. What people took off meanwhile stays off.
fn labels(issue: &IssueFacts, want: &DesiredIssue, item: ItemNumber) -> Effect {
    let is = |eval: &LabelSpec, name: &String| eval.name.eq_ignore_ascii_case(name);
    let mut add: Vec<LabelSpec> = shown(want).collect();
    add.extend(want.looks.iter().filter(|eval| !issue.opened_with.iter().any(|name| is(eval, name))).cloned());
    let ours = |name: &&String| name.starts_with("severity/") || name.starts_with("env/");
    let mut remove: BTreeSet<String> = issue
        .opened_with
        .iter()
        .filter(ours)
        .filter(|name| !want.looks.iter().any(|eval| is(eval, name)))
        .cloned()
        .collect();
    for eval in [route::standing(true), route::standing(false), route::stale()] {
        if !add.contains(&eval) {
            remove.insert(eval.name);
        }
    }
    Effect::SetLabels { item, add, remove }
}

/// The labels that it is opened with.
fn first(want: &DesiredIssue) -> Vec<LabelSpec> {
    want.looks.iter().chain(&want.phase).cloned().chain(shown(want)).collect()
}

fn shown(want: &DesiredIssue) -> impl Iterator<Item = LabelSpec> {
    std::iter::once(route::standing(want.firing)).chain(want.stale.then(route::stale))
}

fn names(looks: &[LabelSpec]) -> BTreeSet<String> {
    looks.iter().map(|eval| eval.name.clone()).collect()
}
