//! Results of our effects on the forge.

use std::collections::BTreeSet;

use jiff::Timestamp;
use phasebot_core::domain::{
    effect::{Effect, ForgeResult, LabelSpec},
    event::{Association, CloseReason, Event, ItemChange, ItemSeen, Seen},
    id::{ItemId, Sha},
};

use super::{Forge, OUR_LOGIN, us};

/// Number of the first issue that we open.
const FIRST_ISSUE: ItemId = 50;

/// An issue that we opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issue {
    pub marker: String,
    pub title: String,
    pub body: String,
    pub labels: BTreeSet<String>,
    pub open: bool,
    pub comments: Vec<String>,
}

/// The forge's result for an effect that it carried out.
#[derive(Debug, Default)]
pub struct Applied {
    pub result: Option<ForgeResult>,
    /// The issue that was opened.
    pub issue: Option<ItemId>,
    /// Labels of an item after the effect.
    pub labels: Option<(ItemId, BTreeSet<String>)>,
}

/// Outcome of an effect.
pub enum Outcome {
    Done(Applied),
    Failed(String),
    /// The item was deleted, although no event said so.
    Gone(ItemId),
}

impl Forge {
    /// Carries out an effect. One that something waits for takes the next of these outcomes, if
    /// there is one, and else succeeds:
    ///
    /// - `outcome failed WHY`;
    /// - `outcome moved COMMIT | gone`: the head, or the ref that named the commit, has moved;
    /// - `outcome made COMMIT | not-started | unnamed`: what was started;
    /// - `outcome reran WORKFLOW… [but CHECK]`, `unassignable LOGIN…`, `no-milestone NAME…`.
    ///
    /// The first deployment has the number 901, the first run 801, the first issue 50.
    pub fn apply(&mut self, effect: &Effect, now: Timestamp) -> Outcome {
        if let Some(item) = effect.item().filter(|item| self.vanished.contains(item)) {
            return Outcome::Gone(item);
        }
        let outcome = effect.is_awaited().then(|| self.outcomes.pop_front()).flatten();
        let mut applied = Applied::default();
        if let Some(words) = outcome {
            match self.scripted(effect, &words, now) {
                Ok(result) => applied.result = Some(result),
                Err(why) => return Outcome::Failed(why),
            }
            return Outcome::Done(applied);
        }
        match effect {
            Effect::ActOnSchema { pin, act, .. } => {
                applied.result = Some(self.act_on_schema(pin, *act, now));
            }
            Effect::CreateDeployment { sha, .. } | Effect::Dispatch { sha, .. } => {
                applied.result = Some(self.start(effect, sha.clone(), now));
            }
            Effect::SetPhase { item, label, phase_labels } => {
                let add: Vec<&LabelSpec> = label.iter().collect();
                applied.labels = Some((*item, self.relabel(*item, &add, phase_labels)));
            }
            Effect::SetLabels { item, add, remove } => {
                let add: Vec<&LabelSpec> = add.iter().collect();
                applied.labels = Some((*item, self.relabel(*item, &add, remove)));
            }
            Effect::OpenIssue { marker, title, body, labels, .. } => {
                let issue = Issue {
                    marker: marker.clone(),
                    title: title.clone(),
                    body: body.clone(),
                    labels: labels.iter().map(|label| label.name.clone()).collect(),
                    open: true,
                    comments: Vec::new(),
                };
                applied.issue = Some(self.open_issue(issue, now));
            }
            Effect::EditIssue { item, title, body, .. } => {
                let issue = self.issues.get_mut(item).expect("an issue of ours");
                (issue.title, issue.body) = (title.clone(), body.clone());
                if let Some(seen) = self.items.get_mut(item) {
                    title.clone_into(&mut seen.title);
                }
            }
            Effect::SetIssueState { item, open } => self.set_open(*item, *open, now),
            Effect::UpsertComment { item, body, .. } => {
                if let Some(issue) = self.issues.get_mut(item) {
                    issue.comments.push(body.clone());
                }
            }
            Effect::MirrorDeployment { made, sha, .. } => {
                if made.is_none() {
                    self.started += 1;
                    let deployment = 900 + self.started;
                    applied.result = Some(ForgeResult::Deployed { deployment, sha: sha.clone(), at: Some(now) });
                }
            }
            // They leave nothing behind that events or answers would show.
            Effect::React { .. }
            | Effect::FoldComment { .. }
            | Effect::Assign { .. }
            | Effect::SetMilestone { .. }
            | Effect::RerunFailed { .. }
            | Effect::UpsertIssue { .. }
            | Effect::Report { .. }
            | Effect::SetDeployment { .. }
            | Effect::TearDown { .. }
            | Effect::CancelRun { .. }
            | Effect::AnswerProtection { .. }
            | Effect::PublishRelease { .. }
            | Effect::SetReleaseNotes { .. } => {}
        }
        Outcome::Done(applied)
    }

    fn scripted(&mut self, effect: &Effect, words: &[String], now: Timestamp) -> Result<ForgeResult, String> {
        let (first, rest) = words.split_first().expect("an outcome");
        Ok(match (first.as_str(), effect) {
            ("failed", _) => return Err(rest.join(" ")),
            ("moved", Effect::RerunFailed { sha, .. }) => {
                ForgeResult::HeadMoved { known: sha.clone(), found: self.sha(&rest[0]) }
            }
            ("moved", _) => ForgeResult::NameMoved { found: Some(self.sha(&rest[0])) },
            ("gone", _) => ForgeResult::NameMoved { found: None },
            ("made", _) => {
                let sha = self.sha(&rest[0]);
                self.start(effect, sha, now)
            }
            ("not-started", _) => ForgeResult::NotStarted("it made none".to_owned()),
            ("unnamed", _) => ForgeResult::Started { run: None, sha: None, pinned: true },
            ("reran", _) => {
                let but = rest.iter().position(|word| word == "but").unwrap_or(rest.len());
                let others = rest[but..].iter().skip(1).map(|word| (word.clone(), Some("Jenkins".to_owned())));
                ForgeResult::Reran { workflows: rest[..but].to_vec(), others: others.collect() }
            }
            ("unassignable", _) => ForgeResult::NotAssignable(rest.to_vec()),
            ("no-milestone", _) => ForgeResult::NoMilestone { known: rest.to_vec() },
            (other, _) => panic!("unknown outcome {other:?}"),
        })
    }

    /// Starts a deployment or a workflow at a commit.
    fn start(&mut self, effect: &Effect, sha: Sha, now: Timestamp) -> ForgeResult {
        self.started += 1;
        match effect {
            Effect::Dispatch { strict, .. } => {
                ForgeResult::Started { run: Some(800 + self.started), sha: Some(sha), pinned: *strict }
            }
            _ => ForgeResult::Deployed { deployment: 900 + self.started, sha, at: Some(now) },
        }
    }

    /// Adds and removes labels; returns those that the item then has.
    fn relabel(&mut self, item: ItemId, add: &[&LabelSpec], remove: &BTreeSet<String>) -> BTreeSet<String> {
        let change = |on: &mut BTreeSet<String>| {
            on.retain(|name| !remove.iter().any(|other| other.eq_ignore_ascii_case(name)));
            on.extend(add.iter().map(|label| label.name.clone()));
        };
        if let Some(issue) = self.issues.get_mut(&item) {
            change(&mut issue.labels);
        }
        let mut labels = BTreeSet::new();
        if let Some(seen) = self.items.get_mut(&item) {
            change(seen.labels.get_or_insert_default());
            labels.clone_from(seen.labels.get_or_insert_default());
            if let Some(pull) = self.pulls.get_mut(&item) {
                pull.item.labels = Some(labels.clone());
            }
        } else {
            change(&mut labels);
        }
        labels
    }

    fn open_issue(&mut self, issue: Issue, now: Timestamp) -> ItemId {
        let same = self.issues.values().any(|other| other.marker == issue.marker);
        assert!(!same, "{} was opened twice", issue.marker);
        let number = FIRST_ISSUE + ItemId::try_from(self.issues.len()).unwrap();
        let seen = ItemSeen {
            number,
            is_pull: false,
            title: issue.title.clone(),
            body: format!("<!-- phasebot:{} -->\n{}", issue.marker, issue.body),
            author: us().bot,
            association: Association::Other,
            created_at: now,
            updated_at: now,
            open: true,
            closed_at: None,
            close_reason: None,
            labels: Some(issue.labels.clone()),
            locked: false,
            change: ItemChange::Opened,
        };
        self.issues.insert(number, issue);
        self.items.insert(number, seen);
        self.echo(number, now);
        number
    }

    fn set_open(&mut self, number: ItemId, open: bool, now: Timestamp) {
        self.issues.get_mut(&number).expect("an issue of ours").open = open;
        let Some(seen) = self.items.get_mut(&number) else { return };
        seen.open = open;
        seen.closed_at = (!open).then_some(now);
        seen.close_reason = (!open).then_some(CloseReason::Completed);
        seen.updated_at = now;
        seen.change = if open { ItemChange::Reopened } else { ItemChange::Closed };
        self.echo(number, now);
    }

    /// Queues the event that our own change of an issue causes.
    fn echo(&mut self, number: ItemId, now: Timestamp) {
        let seen = Seen::Issue(Box::new(self.items[&number].clone()));
        let event = Event { sender: us().bot, ..self.event(now, "issues".into(), Some(OUR_LOGIN), seen) };
        self.echoes.push(event);
    }
}
