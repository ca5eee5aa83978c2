//! Keeps one of our issues up to date: text, labels, state, and a comment each time the incident
//! fires again or resolves.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};

use crate::{
    domain::{
        alert::Feedback,
        effect::{Effect, LabelSpec},
        fact::incident::IssueFacts,
        id::ItemId,
    },
    incident::{
        render::{self, Rendered},
        route,
        view::{IncidentView, StormView},
    },
    plan::{PartialPlan, PlannedEffect},
};

/// Minimum time between two writes of title and text, unless the incident starts or ends.
const TEXT_EVERY: SignedDuration = SignedDuration::from_secs(60);
/// Delay before asking again for an issue that the forge refused to open.
const ASK_AGAIN: SignedDuration = SignedDuration::from_hours(1);

/// Inputs of a title and text. Rendering is costly, so it runs only when the digest of these inputs
/// differs from the one that was last written.
pub(super) enum DesiredText {
    /// An incident: its view, the operator's template, and the text below the rendered template.
    Incident(Box<IncidentView>, Option<String>, String),
    /// A storm.
    Storm(Box<StormView>),
    /// A user's feedback, and its connection.
    Feedback(Box<Feedback>, String),
}

impl DesiredText {
    /// Renders the title and text.
    pub(super) fn render(&self) -> Rendered {
        match self {
            Self::Incident(view, template, below) => {
                let mut text = render::render(template.as_deref(), view);
                text.body.push_str(below);
                text
            }
            Self::Storm(view) => render::storm(view),
            Self::Feedback(said, connection) => render::feedback(said, connection),
        }
    }

    /// Returns a short hash of the inputs.
    fn digest(&self) -> String {
        let parts = match self {
            Self::Incident(view, template, below) => serde_json::to_string(&(view, template, below)),
            Self::Storm(view) => serde_json::to_string(view),
            Self::Feedback(said, connection) => serde_json::to_string(&(said, connection)),
        };
        hex::encode(Sha256::digest(parts.unwrap_or_default())).chars().take(16).collect()
    }
}

/// Desired state of an issue.
pub(super) struct DesiredIssue {
    /// Whether it shows as firing; otherwise as resolved.
    pub(super) firing: bool,
    /// Whether it shows as stale.
    pub(super) stale: bool,
    /// Inputs of its title and text.
    pub(super) text: DesiredText,
    /// Its labels, apart from those that show its state.
    pub(super) looks: Vec<LabelSpec>,
    /// Label of its first phase. Added when the issue is opened; after that the phase derivation
    /// manages it.
    pub(super) phase: Option<LabelSpec>,
    /// Accounts to assign when the issue is opened.
    pub(super) assign: Vec<String>,
    /// Human actions on it: shown at once, whenever they change.
    pub(super) acts: String,
    /// Comment to post if the state changes now; `None` posts nothing.
    pub(super) comment: Option<String>,
    /// Whether a person closed it: it then stays closed and gets no more comments.
    pub(super) left: bool,
    /// Whether to reopen it: a person closed it before the incident fired again.
    pub(super) reopen: bool,
    /// Whether to close it when the incident resolves.
    pub(super) auto_close: bool,
}

/// Plans a new issue for an incident or storm; returns its facts.
pub(super) fn open(marker: String, want: &DesiredIssue, now: Timestamp, out: &mut PartialPlan) -> IssueFacts {
    IssueFacts { firing: want.firing, stale: want.stale, ..open_plain(marker, first(want), &want.text, now, out) }
}

/// Plans a new issue that shows no incident state; returns its facts.
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
        acts: String::new(),
    };
    ask(&mut issue, looks, text, now, out);
    issue
}

/// Plans the effect that opens the issue, under a new key for each attempt.
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

/// Plans the effects that bring an issue to its desired state. Asks again for an issue that the
/// forge refused.
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
        // Only alert traffic is throttled: whoever acts sees it at once.
        if turned || due <= now || issue.acts != want.acts {
            write_text(issue, number, want, now, out);
        } else {
            out.wake(Some(due));
        }
    }
}

/// Plans the effect that shows what people said, of an issue that is otherwise left as it is.
pub(super) fn show_acts(issue: &mut IssueFacts, want: &DesiredIssue, now: Timestamp, out: &mut PartialPlan) {
    if let Some(number) = issue.number.filter(|_| issue.acts != want.acts) {
        write_text(issue, number, want, now, out);
    }
}

fn write_text(issue: &mut IssueFacts, item: ItemId, want: &DesiredIssue, now: Timestamp, out: &mut PartialPlan) {
    (issue.text, issue.acts) = ((want.text.digest(), now), want.acts.clone());
    let Rendered { title, body, .. } = want.text.render();
    let marker = issue.marker.clone();
    let key = format!("text/{marker}");
    let effect = Effect::EditIssue { item, marker, title, body };
    out.effects.push(PlannedEffect { key, replaces: true, effect });
}

/// Returns the effect that updates the labels: adds those that show the state and those that the
/// issue was not opened with. Labels that people removed stay off.
fn labels(issue: &IssueFacts, want: &DesiredIssue, item: ItemId) -> Effect {
    let is = |eval: &LabelSpec, name: &String| eval.name.eq_ignore_ascii_case(name);
    let mut add: Vec<LabelSpec> = shown(want).collect();
    add.extend(want.looks.iter().filter(|eval| !issue.opened_with.iter().any(|name| is(eval, name))).cloned());
    let ours = |name: &&String| ["severity/", "env/", "service/"].iter().any(|prefix| name.starts_with(prefix));
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

/// Returns the labels that the issue is opened with.
fn first(want: &DesiredIssue) -> Vec<LabelSpec> {
    want.looks.iter().chain(&want.phase).cloned().chain(shown(want)).collect()
}

fn shown(want: &DesiredIssue) -> impl Iterator<Item = LabelSpec> {
    std::iter::once(route::standing(want.firing)).chain(want.stale.then(route::stale))
}

fn names(looks: &[LabelSpec]) -> BTreeSet<String> {
    looks.iter().map(|eval| eval.name.clone()).collect()
}
