//! Turns events into facts.
//!
//! Every change is a join (see [`crate::domain::fact`]): the addition depends on the event alone,
//! never on what arrived before it.

use crate::{
    domain::{
        alert::Says,
        effect::{POLICY_MARKER, RETRO_MARKER},
        event::{
            CheckSeen, Event, ItemChange, ItemSeen, MergeGroupSeen, PullSeen, PushSeen, RefName, ReviewSeen, Seen,
            StackSeen, StatusSeen,
        },
        fact::{
            DocumentKey, Newest, RepoFacts,
            commit::{GroupFacts, PushFacts},
            item::{ItemFacts, Labels, Merge, PullShape, ReviewFact},
            keep_earliest,
            label::LabelEvent,
        },
        id::Actor,
        policy::Policy,
        schema::SchemaChange,
        when::earlier,
    },
    evidence::overrides,
    incident,
    ingest::{
        labelled_pulls, paths,
        record::{add_commit, add_run, add_schema_change, add_status, home},
        references,
    },
};
use std::collections::BTreeSet;

/// Our own account, to recognize our own edits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Us {
    /// The account; `None` until the forge has reported it.
    pub bot: Option<Actor>,
}

impl Us {
    /// Returns whether `actor` is phasebot. While our account is unknown, every bot may be:
    /// mistaking another bot for us changes nothing, but mistaking us for another bot would.
    pub(crate) fn are(&self, actor: &Actor) -> bool {
        self.bot.as_ref().map_or(actor.bot, |us| us.is_called(&actor.login))
    }

    /// Returns the bots in an event that must be distinguished from us: one that added or removed a
    /// label, one that set a status under our name, and one whose issue looks like our notice.
    pub fn told_apart(event: &Event) -> impl Iterator<Item = &Actor> {
        let item = match &event.seen {
            Seen::Issue(item) => Some(&**item),
            Seen::Pull(pull) => Some(&pull.item),
            Seen::Review(_)
            | Seen::Comment(_)
            | Seen::Push(_)
            | Seen::Ref(_)
            | Seen::Check(_)
            | Seen::ChecksRerequested { .. }
            | Seen::Status(_)
            | Seen::Workflow(_)
            | Seen::Release(_)
            | Seen::Deployment(_)
            | Seen::External(_)
            | Seen::Verdict(_)
            | Seen::MergeGroup(_)
            | Seen::Protection(_)
            | Seen::Repository(_)
            | Seen::Label { .. }
            | Seen::Connection(_)
            | Seen::Revoked { .. }
            | Seen::Alert(_)
            | Seen::Nothing { .. } => None,
        };
        let labelled = |item: &&ItemSeen| matches!(item.change, ItemChange::Labeled(_) | ItemChange::Unlabeled(_));
        let named_ours = matches!(&event.seen, Seen::Status(status) if status.is_named_ours());
        let by = event.sender.as_ref().filter(|_| named_ours || item.is_some_and(|item| labelled(&item)));
        let author = item.filter(|item| is_notice(&item.body)).and_then(|item| item.author.as_ref());
        by.into_iter().chain(author).filter(|actor| actor.bot)
    }
}

/// Adds an event to the facts; returns the documents that changed.
pub(crate) fn observe(
    facts: &mut RepoFacts,
    event: &Event,
    policy: &Policy,
    us: &Us,
    by_event: bool,
) -> BTreeSet<DocumentKey> {
    let mut notes = Notes { facts, policy, us, event, by_event, changed: BTreeSet::new() };
    notes.about();
    match &event.seen {
        Seen::Issue(item) => notes.item(item),
        Seen::Pull(pull) => notes.pull(pull),
        Seen::Review(review) => notes.review(review),
        Seen::Comment(comment) => notes.item(&comment.item),
        Seen::Push(push) => notes.push(push),
        Seen::Ref(seen) => notes.reference(&seen.name, seen.exists),
        Seen::Check(check) => notes.check(check),
        Seen::ChecksRerequested { sha } => notes.rerequested(sha, None),
        Seen::Status(status) => notes.status(status),
        Seen::Workflow(run) => notes.workflow(run),
        Seen::Release(release) => notes.release(release),
        Seen::Deployment(deployment) => notes.deployment(deployment),
        Seen::External(deployment) => notes.external(deployment),
        Seen::Verdict(verdict) => notes.verdict(verdict),
        Seen::MergeGroup(group) => notes.merge_group(group),
        Seen::Label { name, gone } => notes.label(name, gone.as_deref()),
        Seen::Alert(message) => match &message.says {
            Says::SchemaChange(change) => notes.schema_change(change),
            Says::Group(_) | Says::Feedback(_) | Says::Heartbeat | Says::Nothing(_) => {
                notes.changed.extend(incident::take(notes.facts, message));
            }
        },
        Seen::Protection(waiting) => notes.protection(waiting),
        Seen::Repository(_) | Seen::Connection(_) | Seen::Revoked { .. } | Seen::Nothing { .. } => {}
    }
    notes.place_external();
    let mut changed = notes.changed;
    for key in &changed {
        facts.reindex(key);
    }
    changed.extend(facts.place_deployments(&changed));
    changed
}

/// Returns whether a text is the body of our own issue about the policy file, or of a retrospective.
fn is_notice(body: &str) -> bool {
    let marker = |line: &str| line.trim_end().strip_prefix("<!-- phasebot:")?.strip_suffix(" -->").map(str::to_owned);
    let marker = body.lines().next().and_then(marker);
    marker.is_some_and(|marker| marker == POLICY_MARKER || marker.starts_with(RETRO_MARKER))
}

pub(super) struct Notes<'a> {
    pub(super) facts: &'a mut RepoFacts,
    pub(super) policy: &'a Policy,
    pub(super) us: &'a Us,
    pub(super) event: &'a Event,
    /// Whether this is an event; `false` if it was read in a survey.
    pub(super) by_event: bool,
    pub(super) changed: BTreeSet<DocumentKey>,
}

impl Notes<'_> {
    fn item(&mut self, seen: &ItemSeen) {
        let item = self.facts.items.entry(seen.number).or_insert_with(|| ItemFacts::new(seen.number, seen.is_pull));
        item.is_pull |= seen.is_pull;
        item.heard |= self.by_event;
        // An earlier version did not store the author's id.
        if item.author.as_ref().is_none_or(|author| author.id.is_none()) && seen.author.is_some() {
            item.author.clone_from(&seen.author);
        }
        item.notice |= seen.author.as_ref().is_some_and(|a| self.us.are(a)) && is_notice(&seen.body);
        Newest::join(&mut item.association, Newest::new(seen.updated_at, seen.association));
        keep_earliest(&mut item.created_at, seen.created_at);
        keep_earliest(&mut item.recorded_from, seen.updated_at);
        Newest::join(&mut item.title, Newest::new(seen.updated_at, seen.title.clone()));
        Newest::join(&mut item.open, Newest::new(seen.updated_at, seen.open));
        if let Some(labels) = &seen.labels {
            Labels::join(&mut item.labels, seen.updated_at, labels);
        }
        if let Some(at) = seen.closed_at.filter(|_| !seen.open) {
            let reason = seen.close_reason.unwrap_or(crate::domain::event::CloseReason::Completed);
            let kept = item.closings.entry(at).or_insert(reason);
            *kept = reason.max(*kept);
        }
        match &seen.change {
            ItemChange::Reopened => drop(item.reopenings.insert(seen.updated_at)),
            ItemChange::Gone => keep_earliest(&mut item.gone, seen.updated_at),
            ItemChange::Labeled(label) => self.labelled(seen, label, true),
            ItemChange::Unlabeled(label) => self.labelled(seen, label, false),
            ItemChange::Opened | ItemChange::Closed | ItemChange::Other => {}
        }
        self.changed.insert(DocumentKey::Item(seen.number));
        if labelled_pulls::note(self.facts, seen.number, self.policy) {
            self.changed.insert(DocumentKey::About);
        }
    }

    /// Records a label event as it is, because the policy may later change which labels show a
    /// phase.
    fn labelled(&mut self, seen: &ItemSeen, label: &str, on: bool) {
        let Some(sender) = self.event.sender.as_ref().filter(|sender| !self.us.are(sender)) else { return };
        let Some(item) = self.facts.items.get_mut(&seen.number) else { return };
        let beside = seen.labels.iter().flatten().filter(|other| !other.eq_ignore_ascii_case(label));
        let mut event = LabelEvent {
            at: seen.updated_at,
            label: label.to_owned(),
            on,
            by: sender.login.clone(),
            id: sender.id,
            bot: sender.bot,
            beside: if on || sender.bot { BTreeSet::new() } else { beside.cloned().collect() },
            meant: None,
        };
        if self.policy.label_index(label).is_some() {
            event.meant = overrides::meaning(&event, self.policy);
        }
        item.label_events.record(event);
    }

    fn pull(&mut self, seen: &PullSeen) {
        self.item(&seen.item);
        let home = home(self.facts);
        let Some(item) = self.facts.items.get_mut(&seen.item.number) else { return };
        item.is_pull = true;
        let pull = item.pull.get_or_insert_default();
        let at = seen.item.updated_at;
        let shape = PullShape {
            head_ref: seen.head_ref.clone(),
            head_sha: seen.head_sha.clone(),
            from_fork: seen.from_fork,
            base_ref: seen.base_ref.clone(),
            draft: seen.draft,
        };
        let first = pull.heads.entry(shape.head_sha.clone()).or_insert(at);
        *first = at.min(*first);
        Newest::join(&mut pull.shape, Newest::new(at, shape));
        match &seen.stack {
            StackSeen::Unsaid => {}
            StackSeen::Alone => Newest::join(&mut pull.stack, Newest::new(at, None)),
            StackSeen::In(place) => Newest::join(&mut pull.stack, Newest::new(at, Some(place.clone()))),
        }
        if let Some(queued) = seen.queued {
            Newest::join(&mut pull.queued, Newest::new(self.event.at, queued));
        }
        pull.pushers.extend(seen.pusher.as_ref().map(Actor::account));
        let refs = references::pull_refs(&seen.item.title, &seen.item.body, &home);
        Newest::join(&mut pull.refs, Newest::new(at, refs));
        if let (Some(at), Some(sha)) = (seen.merged_at, &seen.merge_sha) {
            let merge = Merge { at, sha: sha.clone(), by: seen.merged_by.as_ref().map(Actor::account) };
            // A merge never changes; of two observations keep the one with its author.
            if pull.merged.as_ref().is_none_or(|known| known.by.is_none() || merge < *known && merge.by.is_some()) {
                pull.merged = Some(merge);
            }
        }
    }

    fn review(&mut self, seen: &ReviewSeen) {
        self.pull(&seen.pull);
        let Some(reviewer) = &seen.reviewer else { return };
        let pull = self.facts.items.get_mut(&seen.pull.item.number).and_then(|i| i.pull.as_mut());
        let Some(pull) = pull else { return };
        let review = ReviewFact {
            verdict: seen.verdict,
            submitted_at: seen.submitted_at,
            reviewer: reviewer.account(),
            association: seen.association,
            commit: seen.commit.clone(),
        };
        // `submitted_at` stays the same when a review is dismissed; the time of the dismissal is
        // the pull request's `updated_at`.
        let at = seen.pull.item.updated_at.max(seen.submitted_at);
        let mut slot = pull.reviews.remove(&seen.id);
        Newest::join(&mut slot, Newest::new(at, review));
        pull.reviews.extend(slot.map(|s| (seen.id, s)));
    }

    fn push(&mut self, seen: &PushSeen) {
        let home = home(self.facts);
        for commit in &seen.commits {
            self.changed.extend(add_commit(self.facts, commit, &home));
        }
        let key = (seen.name.clone(), seen.before.clone(), seen.after.clone());
        let paths = paths::kept(self.facts, seen, self.policy);
        let fact = PushFacts {
            name: seen.name.clone(),
            before: seen.before.clone(),
            after: seen.after.clone(),
            forced: seen.forced,
            commits: seen.commits.iter().map(|c| c.sha.clone()).collect(),
            paths,
            new_commits: seen.new.count,
            first_commit: seen.new.first_at.map(|at| at.min(self.event.at)),
            truncated: seen.truncated,
            made_from: seen.made_from.clone(),
            policy_file: seen.policy_file,
            at: self.event.at,
            pusher: seen.pusher.as_ref().map(Actor::account),
        };
        // A push that creates, deletes or rewrites a branch does not list the removed commits.
        let unlisted = seen.forced || seen.before.is_zero() || seen.after.is_zero();
        if (seen.policy_file != Some(false) || unlisted)
            && seen.name == RefName::Branch(self.facts.default_branch().to_owned())
        {
            self.facts.policy_files.own.stale = true;
            self.changed.insert(DocumentKey::Policy);
        }
        let to = (!seen.after.is_zero()).then(|| seen.after.clone());
        let place = self.facts.refs.entry(seen.name.clone()).or_default();
        let at = match self.facts.pushes.get_mut(&key) {
            Some(known) => {
                if fact.at < known.at {
                    place.pushed_earlier(known.at, to.clone());
                }
                known.at = known.at.min(fact.at);
                known.pusher = known.pusher.take().or(fact.pusher);
                known.paths.extend(fact.paths);
                known.new_commits = known.new_commits.max(fact.new_commits);
                known.first_commit = earlier(known.first_commit, fact.first_commit);
                known.at
            }
            None => self.facts.pushes.entry(key.clone()).or_insert(fact).at,
        };
        self.changed.insert(DocumentKey::Push(key.0, key.1, key.2));
        // The moves of a branch come from its pushes.
        if let RefName::Tag(_) = &seen.name {
            place.moved(at, to);
            self.changed.insert(DocumentKey::Ref(seen.name.clone()));
        }
    }

    fn reference(&mut self, name: &RefName, exists: bool) {
        let place = self.facts.refs.entry(name.clone()).or_default();
        let before = place.clone();
        Newest::join(&mut place.seen_at, Newest::new(self.event.at, exists));
        if !exists {
            place.moved(self.event.at, None);
        }
        if *place != before {
            self.changed.insert(DocumentKey::Ref(name.clone()));
        }
    }

    fn check(&mut self, seen: &CheckSeen) {
        let key = add_run(self.facts, seen);
        self.changed.insert(key);
        if seen.ours && seen.asked_again {
            self.rerequested(&seen.sha, Some(&seen.name));
        }
    }

    fn status(&mut self, seen: &StatusSeen) {
        let by_us = self.event.sender.as_ref().is_some_and(|sender| self.us.are(sender));
        let seen = StatusSeen { ours: seen.is_named_ours() && (seen.ours || by_us), ..seen.clone() };
        let key = add_status(self.facts, &seen);
        self.changed.insert(key);
    }

    /// Records a schema change of a database that an environment of the policy uses. Another one is
    /// nobody's business here, and is asked for once the policy names it.
    fn schema_change(&mut self, seen: &SchemaChange) {
        let mut databases = self.policy.environments.values().filter_map(|rule| rule.database.as_ref());
        if databases.any(|database| database.connection == seen.connection) {
            self.changed.extend(add_schema_change(self.facts, seen));
        }
    }

    fn merge_group(&mut self, seen: &MergeGroupSeen) {
        let known = self.facts.groups.get(&seen.head_sha).and_then(|group| group.end);
        let fact = GroupFacts {
            base_sha: seen.base_sha.clone(),
            base_ref: seen.base_ref.clone(),
            pull: seen.pull,
            end: seen.end.max(known),
        };
        self.facts.groups.insert(seen.head_sha.clone(), fact);
        self.changed.insert(DocumentKey::Group(seen.head_sha.clone()));
    }

    fn label(&mut self, name: &str, gone: Option<&str>) {
        // A label that someone created or changed may look different; it exists, and its look is
        // theirs.
        let known = &mut self.facts.about.known_labels;
        let mut differs = gone.is_some_and(|old| known.remove(old));
        if gone != Some(name) && self.policy.label_index(name).is_some() {
            differs |= known.insert(name.to_owned());
        }
        if differs {
            self.changed.insert(DocumentKey::About);
        }
    }
}
