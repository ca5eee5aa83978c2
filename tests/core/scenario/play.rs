//! Runs a scenario through the core, as the worker does.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use jiff::Timestamp;
use phasebot_core::{
    domain::{
        derived::Derived,
        effect::Effect,
        event::{CommitSeen, Event, ItemSeen, RefName},
        fact::RepoFacts,
        id::{Actor, ItemId, Sha},
        needs::{Answer, Answered, Authors, CommitPlace, Need, ResolvedRef, ResolvedRefKind},
        permission::Role,
        policy::Policy,
    },
    engine,
    ingest::{self, Us},
    phase::{self, Decided, Shown},
};

use super::world::{Act, Acts, World, read, repo};

/// The core with its decisions so far.
pub struct Stage<'a> {
    acts: &'a Acts,
    policy: Policy,
    facts: RepoFacts,
    shown: BTreeMap<ItemId, Derived>,
    asked: Vec<Need>,
}

/// Results that must not depend on the order of deliveries.
pub type Ending = BTreeMap<ItemId, Derived>;

impl<'a> Stage<'a> {
    pub fn new(acts: &'a Acts) -> Self {
        let policy = crate::policy_of(acts.policy.as_deref());
        Self { acts, policy, facts: RepoFacts::new(repo().key), shown: BTreeMap::new(), asked: Vec::new() }
    }

    pub fn set_policy(&mut self, policy: Policy) {
        self.policy = policy;
    }

    /// Runs the events in their order, the first `switch` of them under an earlier policy.
    pub fn run_across(mut self, earlier: Policy, switch: usize) -> Ending {
        let policy = std::mem::replace(&mut self.policy, earlier);
        let mut policy = Some(policy);
        for (index, event) in self.acts.events.iter().enumerate() {
            if index == switch {
                self.put_in_force(policy.take(), event.at);
            }
            self.tick(event.at);
            self.event(event, event.at);
        }
        self.put_in_force(policy, self.acts.end);
        self.tick(self.acts.end);
        self.shown
    }

    /// Continues under another policy; derives every item again.
    fn put_in_force(&mut self, policy: Option<Policy>, now: Timestamp) {
        let Some(policy) = policy else { return };
        self.policy = policy;
        self.settle(self.facts.items.keys().copied().collect(), now);
    }

    /// Runs the events in this order, then fires all timers.
    pub fn run(mut self, order: &[usize]) -> Ending {
        let mut now = Timestamp::MIN;
        for index in order {
            let event = self.acts.events[*index].clone();
            now = now.max(event.at);
            self.tick(now);
            self.event(&event, now);
        }
        self.tick(self.acts.end);
        let ending: Ending = self.shown.clone();
        // The incremental result must equal a fresh derivation. Expired permissions that would be
        // queried again by then are not part of the comparison.
        for answered in self.facts.answers.values_mut().filter(|known| matches!(known.need, Need::Writer { .. })) {
            answered.at = self.acts.end;
        }
        for (item, derived) in &ending {
            let fresh = phase::derive(&self.facts, *item, &self.policy, self.acts.end);
            assert_eq!(*derived, fresh, "#{item} was left stale");
        }
        ending
    }

    fn event(&mut self, event: &Event, now: Timestamp) -> Vec<(Derived, Decided)> {
        let us = Us { bot: Some(Actor { id: None, login: "phasebot[bot]".into(), bot: true }) };
        let observed = ingest::observe(&mut self.facts, event, &self.policy, &us);
        self.settle(observed.items, now)
    }

    fn settle(&mut self, mut items: BTreeSet<ItemId>, now: Timestamp) -> Vec<(Derived, Decided)> {
        for _ in 0..8 {
            let needs = engine::needs(&self.facts, &items, &self.policy, now);
            if needs.is_empty() {
                break;
            }
            for need in needs {
                // The tags of every repository are listed, so this query is omitted from the
                // output.
                self.asked.extend((need != Need::Tags).then(|| need.clone()));
                let answer = answer(&self.acts.world, &need);
                let learnt = ingest::learn(&mut self.facts, &Answered { need, answer, at: now }, &self.policy);
                items.extend(learnt.items);
            }
        }
        let mut moved = Vec::new();
        for item in items {
            let derived = phase::derive(&self.facts, item, &self.policy, now);
            assert!(derived.wake_at.is_none_or(|at| at > now), "#{item} would be looked at for ever");
            let shown = self.shown.get(&item).map(|d| Shown {
                phase: d.phase.clone(),
                ours: d.ours,
                written: true,
                label: d
                    .phase
                    .as_ref()
                    .and_then(|name| self.policy.phase_index(name))
                    .map(|n| self.policy.phases[n].label.clone()),
                put: BTreeSet::new(),
            });
            let decided = phase::decide(&self.facts, &derived, shown.as_ref(), &self.policy);
            self.shown.insert(item, derived.clone());
            moved.push((derived, decided));
        }
        moved
    }

    /// Derives the items whose timers are due.
    fn tick(&mut self, now: Timestamp) -> Vec<(Derived, Decided)> {
        let due: BTreeSet<_> =
            self.shown.values().filter(|d| d.wake_at.is_some_and(|at| at <= now)).map(|d| d.item).collect();
        self.settle(due, now)
    }
}

/// Runs the lines in order and returns the phase changes as text.
pub fn narrate(steps: &str) -> String {
    let acts = read(steps);
    let mut stage = Stage::new(&acts);
    let mut out = String::new();
    for (line, act) in &acts.lines {
        let moved = match act {
            Act::Event(event) => {
                let mut moved = stage.tick(event.at);
                moved.extend(stage.event(event, event.at));
                moved
            }
            Act::Tick(at) => stage.tick(*at),
        };
        writeln!(out, "{line}").unwrap();
        for (derived, decided) in moved {
            if let Some(Effect::SetPhase { label, .. }) = &decided.effect {
                let label = label.as_ref().map_or("no label", |l| l.name.as_str());
                writeln!(out, "    label #{}: {label}", derived.item).unwrap();
            }
            if !decided.note.is_empty() {
                let rule =
                    if derived.reason.rule.is_empty() { String::new() } else { format!(" [{}]", derived.reason.code) };
                writeln!(out, "    {}{rule}", decided.note).unwrap();
            }
        }
    }
    writeln!(out, "end").unwrap();
    for derived in stage.shown.values() {
        let phase = derived.phase.as_deref().unwrap_or("none");
        let since = derived.since.map_or_else(String::new, |at| format!(" since {}", clock(at)));
        writeln!(out, "    #{} {phase}{since}: {}", derived.item, derived.reason.sentence).unwrap();
        let was = derived.history.iter().map(|t| format!("{} {}", t.to.as_deref().unwrap_or("none"), clock(t.at)));
        let was = was.collect::<Vec<_>>().join(", ");
        if !was.is_empty() {
            writeln!(out, "        was: {was}").unwrap();
        }
        for next in &derived.next {
            writeln!(out, "        next: {next}").unwrap();
        }
    }
    if !stage.asked.is_empty() {
        let asked: BTreeSet<String> = stage.asked.iter().map(asked_for).collect();
        writeln!(out, "asked").unwrap();
        for need in asked {
            writeln!(out, "    {need}").unwrap();
        }
    }
    for (short, name) in &acts.world.names {
        let long = format!("{short}{}", "");
        out = out.replace(&long, name);
    }
    // The rest of a full object name after its first seven digits.
    while let Some(at) = out.find("0000000") {
        let end = out[at..].find(|c: char| c != '0').map_or(out.len(), |n| at + n);
        out.replace_range(at..end, "");
    }
    out
}

pub fn clock(at: Timestamp) -> String {
    let days = at.duration_since(super::world::start()).as_hours() / 24;
    let time = at.strftime("%H:%M:%S");
    if days == 0 { format!("{time}") } else { format!("{days}d{time}") }
}

/// Formats a query for scenarios, with people by their logins.
fn asked_for(need: &Need) -> String {
    match need {
        Need::Writer { login, .. } => format!("Writer {{ login: {login:?} }}"),
        other => format!("{other:?}"),
    }
}

/// Returns the kind of a query as scenarios name it: its variant.
pub fn kind(need: &Need) -> String {
    format!("{need:?}").split([' ', '{']).next().unwrap_or_default().to_owned()
}

/// Returns the forge's answer, from the complete state of the world.
pub fn answer(world: &World, need: &Need) -> Answer {
    if world.offline {
        return Answer::Unavailable { why: "offline".into() };
    }
    if world.denied.contains(&kind(need)) {
        return Answer::Unavailable { why: "403 from the forge".into() };
    }
    match need {
        Need::Writer { id: Some(id), .. } => Answer::Writer(!world.readers.contains(id)),
        Need::Writer { id: None, .. } => Answer::Unavailable { why: "no such account".into() },
        Need::Role { .. } => Answer::Role(Role::None),
        Need::Member { .. } => Answer::Member(false),
        Need::Starters { run } => Answer::Starters(world.starters.get(run).cloned().unwrap_or_default()),
        Need::LinkedIssues { pull } => Answer::LinkedIssues(world.linked.get(pull).cloned().unwrap_or_default()),
        Need::Closer { issue, .. } => Answer::Closer(world.closers.get(issue).cloned()),
        Need::LinkedBranches { issue } => {
            Answer::LinkedBranches(world.linked_branches.get(issue).cloned().unwrap_or_default())
        }
        Need::RequiredChecks { .. } => Answer::RequiredChecks(world.required.clone()),
        Need::TagCommit { .. } => Answer::Unavailable { why: "no such tag".into() },
        Need::BranchHead { branch } => match world.tips.get(&RefName::Branch(branch.clone())) {
            Some(sha) => Answer::BranchHead(sha.clone()),
            None => Answer::Unavailable { why: "no such branch".into() },
        },
        Need::Named { name, default_branch, .. } => {
            let (heads, tags) = (name.strip_prefix("refs/heads/"), name.strip_prefix("refs/tags/"));
            let full = heads.map(|name| (ResolvedRefKind::Branch, RefName::Branch(name.to_owned())));
            let full = full.or_else(|| tags.map(|name| (ResolvedRefKind::Tag, RefName::Tag(name.to_owned()))));
            if let Some((kind, place)) = full {
                return Answer::Named(world.tip(&place).map(|sha| ResolvedRef { kind, sha: sha.clone() }));
            }
            let kinds = [
                (ResolvedRefKind::Tag, RefName::Tag(name.clone())),
                (ResolvedRefKind::Branch, RefName::Branch(name.clone())),
            ];
            // A bare name that both a branch and a tag have is ambiguous.
            if kinds.iter().all(|(_, place)| world.tip(place).is_some()) {
                return Answer::Named(None);
            }
            let place =
                kinds.into_iter().find_map(|(kind, place)| Some(ResolvedRef { kind, sha: world.tip(&place)?.clone() }));
            let landed =
                world.tip(&RefName::Branch(default_branch.clone())).map(|tip| world.ancestors(tip)).unwrap_or_default();
            let known = world.parents.keys().find(|sha| !name.is_empty() && sha.0.starts_with(name.as_str()));
            let commit = known.map(|sha| {
                let kind = if landed.contains(sha) { ResolvedRefKind::Landed } else { ResolvedRefKind::Loose };
                ResolvedRef { kind, sha: sha.clone() }
            });
            Answer::Named(place.or(commit))
        }
        Need::RunsAt { sha, trigger, .. } => {
            let wanted = world.unheard.iter().filter(|(_, run)| {
                sha.as_ref().is_none_or(|sha| *sha == run.sha)
                    && run.trigger == *trigger
                    && world.now.is_none_or(|now| run.created_at <= now)
            });
            Answer::Runs(wanted.map(|(id, run)| (*id, run.clone())).collect())
        }
        Need::Tags => {
            let tags = world.tips.iter().filter(|(name, _)| matches!(name, RefName::Tag(_)));
            Answer::Tags(tags.map(|(name, sha)| (name.name().to_owned(), sha.clone())).collect())
        }
        // Every event of the scenario arrives, so nothing is missing.
        Need::Checks { .. } => Answer::Checks { runs: Vec::new(), statuses: Vec::new() },
        Need::OpenIssues { label, milestone } => {
            let of = |item: &&ItemSeen| match (label, milestone) {
                (Some(label), _) => item.labels.as_ref().is_some_and(|labels| labels.contains(label)),
                (_, Some(title)) => world.milestones.get(title).is_some_and(|issues| issues.contains(&item.number)),
                _ => false,
            };
            if milestone.as_ref().is_some_and(|title| !world.milestones.contains_key(title)) {
                return Answer::Unavailable { why: "no such milestone".into() };
            }
            let open = world.items.values().filter(|item| item.open && !item.is_pull).filter(of);
            Answer::OpenIssues(open.map(|item| item.number).collect())
        }
        Need::Authors { base, head } => {
            let old = base.as_ref().map(|base| world.ancestors(base)).unwrap_or_default();
            let mut made = world.ancestors(head);
            made.retain(|sha| sha == head || (base.is_some() && !old.contains(sha)));
            let dev = || BTreeSet::from([world.accounts.account("dev")]);
            let people = made.iter().flat_map(|sha| world.authors.get(sha).cloned().unwrap_or_else(dev));
            let messages = made.iter().filter_map(|sha| world.messages.get(sha));
            let trailers = messages.flat_map(|message| message.lines()).filter_map(|line| {
                let (name, _) = line.strip_prefix("Co-authored-by: ")?.split_once(' ')?;
                Some(world.accounts.account(&name.to_lowercase()))
            });
            let people = people.chain(trailers).collect();
            Answer::Authors(Authors { people, anonymous: made.into_iter().find(|sha| world.anonymous.contains(sha)) })
        }
        Need::TagSignature { tag } => {
            let verified = world.signed.contains(tag);
            Answer::TagSignature { verified, reason: if verified { "valid" } else { "unsigned" }.into() }
        }
        Need::CommitPlace { sha, branch } => {
            let at = |place: &RefName| world.tip(place).cloned();
            let on = at(&RefName::Branch(branch.clone())).is_some_and(|tip| world.ancestors(&tip).contains(sha));
            let branches = world.tips.keys().filter(|name| matches!(name, RefName::Branch(_)));
            let mut heads = branches.filter_map(at);
            Answer::CommitPlace(match on {
                true => CommitPlace::OnBranch,
                false if heads.any(|head| head == *sha) => CommitPlace::Elsewhere,
                false => CommitPlace::Nowhere,
            })
        }
        Need::PullsOf { sha } => {
            let merged = world.pulls.values().filter(|pull| {
                pull.merge_sha.as_ref() == Some(sha) || (pull.merge_sha.is_some() && pull.head_sha == *sha)
            });
            Answer::BroughtBy(merged.map(|pull| (pull.item.number, pull.base_ref.clone())).collect())
        }
        Need::Reviews { pull } => match world.pulls.get(pull) {
            Some(pull) => Answer::Reviews {
                head: pull.head_sha.clone(),
                author: pull.item.author.as_ref().map(Actor::account),
                merged_by: pull.merged_by.as_ref().map(Actor::account),
                reviews: BTreeMap::new(),
            },
            None => Answer::Unavailable { why: "no such pull request".into() },
        },
        Need::Commits { base, head } => {
            let new = world.ancestors(head);
            let old = base.as_ref().map(|b| world.ancestors(b)).unwrap_or_default();
            let merge_base: Option<&Sha> = new.intersection(&old).max_by_key(|c| world.ancestors(c).len());
            let commits = new.difference(&old).map(|sha| CommitSeen {
                sha: sha.clone(),
                message: world.messages.get(sha).cloned().unwrap_or_default(),
                parents: world.parents.get(sha).cloned(),
            });
            Answer::Commits { merge_base: merge_base.cloned(), commits: commits.collect(), complete: true }
        }
    }
}
