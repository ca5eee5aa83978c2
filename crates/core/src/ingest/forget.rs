//! Deletes old evidence, so that facts do not grow with every event.
//!
//! Items, tags, releases and this repository's own deployments are kept: they are few, and labels
//! depend on them. Evidence for the landing of changes is kept, too: pushes and checks of branches
//! that pull requests target, pushes whose commits refer to issues or other commits, and permanent
//! answers of the forge. A busy repository mostly accumulates pushes and checks of topic branches.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::{
    domain::{
        event::{GroupEnd, RefName},
        fact::{
            DocumentKey, RepoFacts,
            commit::{CommitChecks, PushFacts},
            deployment::DeploymentFacts,
        },
        id::Sha,
        needs::{Answer, Answered, Need},
    },
    environment::foreign::is_foreign,
};

/// Deletes evidence older than `before`; returns the documents that were removed or changed.
pub fn forget(facts: &mut RepoFacts, before: Timestamp) -> BTreeSet<DocumentKey> {
    let is_old = |push: &PushFacts| push.at < before && !is_rested_on(facts, push);
    let pushes = facts.pushes.iter().filter(|(_, push)| is_old(push));
    let pushes: BTreeSet<_> = pushes.map(|(id, _)| id.clone()).collect();
    let checks = facts.checks.iter().filter(|(_, checks)| last_turn(checks).is_some_and(|at| at < before));
    let checks = checks.filter(|(sha, _)| !speaks_for_landed(facts, sha));
    let checks = checks.map(|(sha, _)| DocumentKey::Checks(sha.clone()));
    let verdicts = facts.verdicts.iter().filter(|(_, known)| known.newest_at().is_none_or(|at| at < before));
    let verdicts = verdicts.map(|(sha, _)| DocumentKey::Verdicts(sha.clone()));
    let schemas = facts.schema_changes.iter().filter(|(_, change)| !change.is_open && change.at < before);
    let schemas = schemas.map(|((name, number), _)| DocumentKey::SchemaChange(name.clone(), *number));
    let answers = facts.answers.values().filter(|a| a.at < before && !lasts(a));
    let answers = answers.map(|a| DocumentKey::Answer(a.need.clone()));
    let branches = facts.refs.iter().filter(|(name, place)| {
        let gone = place.moves().last().is_some_and(|(at, to)| to.is_none() && *at < before);
        // While one of its pushes is kept, the branch would come back with it.
        let kept = |name: &RefName| facts.pushes_of(name).any(|(id, _)| !pushes.contains(id));
        matches!(name, RefName::Branch(_)) && gone && !kept(name)
    });
    let branches: BTreeSet<_> = branches.map(|(name, _)| DocumentKey::Ref(name.clone())).collect();
    // Anyone who sends a pull request creates deployments, and environments with them.
    let foreign =
        facts.deployments.iter().filter(|(id, made)| is_foreign(facts, **id, made) && last_word(made) < before);
    let foreign = foreign.map(|(id, _)| DocumentKey::Deployment(*id));
    // A deployment's run identifies it as a deploy.
    let deploys = |run: &u64| facts.deployments.index().by_run.of(run).next().is_some();
    let runs = facts.runs.iter().filter(|(id, run)| run.at < before && !deploys(id));
    let runs = runs.map(|(id, _)| DocumentKey::Run(*id));
    let jobs = facts.waiting_jobs.iter().filter(|(_, job)| job.requests.values().all(|at| *at < before));
    let jobs = jobs.map(|((run, name), _)| DocumentKey::WaitingJob(*run, name.clone()));
    // The positions of a branch that is kept must remain known when its pushes are deleted.
    let mut moved: BTreeSet<DocumentKey> = BTreeSet::new();
    let alerts =
        facts.incidents.iter().filter(|(_, incident)| incident.is_done() && incident.heard_at() < Some(before));
    let alerts = alerts.map(|(id, _)| DocumentKey::Incident(id.clone()));
    let words = facts.feedback.iter().filter(|(_, report)| report.is_filed() && report.said.0 < before);
    let words = words.map(|(id, _)| DocumentKey::Feedback(id.clone()));
    let mut old: BTreeSet<DocumentKey> = checks
        .chain(verdicts)
        .chain(schemas)
        .chain(answers)
        .chain(foreign)
        .chain(runs)
        .chain(jobs)
        .chain(alerts)
        .chain(words)
        .collect();
    for id in pushes {
        let (name, _, to) = &id;
        let key = DocumentKey::Ref(name.clone());
        if let (false, Some(push), Some(place)) =
            (branches.contains(&key), facts.pushes.get(&id), facts.refs.get_mut(name))
        {
            place.moved(push.at, (!to.is_zero()).then(|| to.clone()));
            moved.insert(key);
        }
        old.insert(DocumentKey::Push(id.0, id.1, id.2));
    }
    old.extend(branches);
    facts.remove(&old);
    // Commits and merge groups that no push or merge brings and no check tests any more.
    let brought = |sha| facts.index.brought_by.contains_key(sha);
    let commits = facts.commits.keys().filter(|sha| !brought(*sha) && !facts.index.merged_as.contains_key(*sha));
    let groups = facts.groups.keys().filter(|sha| !facts.checks.contains_key(*sha) && !brought(*sha));
    let loose: BTreeSet<DocumentKey> = if old.is_empty() {
        BTreeSet::new()
    } else {
        commits.cloned().map(DocumentKey::Commit).chain(groups.cloned().map(DocumentKey::Group)).collect()
    };
    facts.remove(&loose);
    old.into_iter().chain(loose).chain(moved).collect()
}

/// Returns whether the landing of a change depends on a push.
fn is_rested_on(facts: &RepoFacts, push: &PushFacts) -> bool {
    is_landed_on(facts, &push.name)
        || takes_back(facts, push)
        || push.commits.iter().chain([&push.after]).any(|c| facts.commits.contains_key(c))
}

/// Returns whether a push may have taken back landed changes: it rewrote a branch that belongs to
/// no pull request.
fn takes_back(facts: &RepoFacts, push: &PushFacts) -> bool {
    push.forced && matches!(&push.name, RefName::Branch(b) if !facts.index.pulls_from.contains_key(b))
}

/// Returns whether changes land on a branch.
fn is_landed_on(facts: &RepoFacts, name: &RefName) -> bool {
    matches!(name, RefName::Branch(b) if facts.is_main_line(b) || facts.index.pulls_into.contains_key(b))
}

/// Returns whether checks on a commit can show that a landed change was tested.
fn speaks_for_landed(facts: &RepoFacts, sha: &Sha) -> bool {
    let mut ended = facts.index.ended_at.get(sha).into_iter().flatten();
    facts.index.merged_as.contains_key(sha)
        || ended.any(|(name, _, _)| is_landed_on(facts, name))
        || facts.groups.get(sha).is_some_and(|group| group.pull.is_some() && group.end != Some(GroupEnd::Dissolved))
}

/// Returns whether an answer holds permanently. Other answers are asked for again in time anyway.
fn lasts(answered: &Answered) -> bool {
    let asked_again = matches!(
        answered.need,
        Need::Writer { .. }
            | Need::Role { .. }
            | Need::Member { .. }
            | Need::Starters { .. }
            | Need::FilesBetween { .. }
            | Need::RequiredChecks { .. }
            | Need::SchemaChanges { .. }
            | Need::SchemaChange { .. }
    );
    !asked_again && !matches!(answered.answer, Answer::Unavailable { .. })
}

/// Returns when a check or status on a commit last changed.
fn last_turn(checks: &CommitChecks) -> Option<Timestamp> {
    let runs = checks.runs.values().map(|run| run.completed.map_or(run.started_at, |(at, _)| at));
    runs.chain(checks.statuses.values().map(|status| status.at)).max()
}

/// Returns when a deployment was last updated.
fn last_word(made: &DeploymentFacts) -> Timestamp {
    made.statuses.iter().map(|status| status.at).fold(made.created_at, Ord::max)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        alert::Feedback,
        event::{CheckSource, RunOutcome},
        fact::{
            commit::{CommitFacts, GroupFacts, RunFact, StatusFact},
            incident::{FeedbackFacts, IssueFacts},
            item::{ItemFacts, Merge, PullFacts},
        },
        id::{ForgeName, RepoKey},
    };

    fn at(day: i8) -> Timestamp {
        jiff::civil::date(2026, 1, day).to_zoned(jiff::tz::TimeZone::UTC).unwrap().timestamp()
    }

    fn sha(n: u8) -> Sha {
        format!("{n:040x}").parse().unwrap()
    }

    #[test]
    fn an_incident_goes_once_it_is_over() {
        use crate::domain::fact::incident::IncidentFacts;
        let mut facts = RepoFacts::new(RepoKey { forge: ForgeName::github(), id: 1 });
        for (id, noticed) in [("over", None), ("firing", Some(at(1)))] {
            let incident = IncidentFacts { whole_at: Some(at(1)), noticed, ..IncidentFacts::new("prod", id) };
            facts.incidents.insert(id.into(), incident);
        }
        assert_eq!(forget(&mut facts, at(2)), [DocumentKey::Incident("over".into())].into());
        assert!(facts.incidents.contains_key("firing") && forget(&mut facts, at(2)).is_empty());
    }

    /// Evidence exactly as old as the bound is kept, and so is all younger evidence in any state.
    #[test]
    fn nothing_young_goes() {
        use crate::domain::fact::incident::IncidentFacts;
        let mut facts = RepoFacts::new(RepoKey { forge: ForgeName::github(), id: 1 });
        let over = IncidentFacts { whole_at: Some(at(4)), ..IncidentFacts::new("prod", "over") };
        facts.incidents.insert("over".into(), over);
        for (day, name) in [(2, "old"), (3, "just"), (4, "young")] {
            let place = facts.refs.entry(RefName::Branch(name.into())).or_default();
            place.moved(at(1), Some(sha(1)));
            place.moved(at(day), None);
        }
        facts.refs.entry(RefName::Branch("stands".into())).or_default().moved(at(1), Some(sha(1)));
        let tag = facts.refs.entry(RefName::Tag("v1".into())).or_default();
        tag.moved(at(1), Some(sha(1)));
        tag.moved(at(2), None);
        let answer = |need: Need, answer: Answer, day: i8| (need.clone(), Answered { need, answer, at: at(day) });
        let writer = |login: &str| Need::Writer { id: None, login: login.into() };
        let refused = Answer::Unavailable { why: "502".into() };
        facts.answers.extend([
            answer(writer("ada"), Answer::Writer(true), 2),
            answer(writer("bob"), Answer::Writer(true), 3),
            answer(Need::LinkedIssues { pull: 1 }, Answer::LinkedIssues([2].into()), 1),
            answer(Need::LinkedIssues { pull: 2 }, refused, 1),
        ]);
        let went = forget(&mut facts, at(3));
        let branch = DocumentKey::Ref(RefName::Branch("old".into()));
        let answers = [writer("ada"), Need::LinkedIssues { pull: 2 }].map(DocumentKey::Answer);
        assert_eq!(went, answers.into_iter().chain([branch]).collect());
    }

    /// User feedback is deleted once it is filed, and not before.
    #[test]
    fn words_go_once_they_are_filed() {
        let mut facts = RepoFacts::new(RepoKey { forge: ForgeName::github(), id: 1 });
        let issue = |number| IssueFacts {
            marker: String::new(),
            asked_at: at(1),
            asked: 1,
            refused: None,
            number,
            opened_with: BTreeSet::new(),
            labels: BTreeSet::new(),
            assigned: false,
            firing: false,
            open: true,
            open_since: at(1),
            turns: 0,
            stale: false,
            text: (String::new(), at(1)),
            acts: String::new(),
        };
        for (id, day, number) in [("old", 1, Some(7)), ("young", 3, Some(8)), ("waits", 1, None)] {
            let text = Feedback {
                key: id.into(),
                title: id.into(),
                text: String::new(),
                url: None,
                labels: std::collections::BTreeMap::new(),
            };
            let said = FeedbackFacts { connection: "app".into(), said: (at(day), text), issue: Some(issue(number)) };
            facts.feedback.insert(id.into(), said);
        }
        assert_eq!(forget(&mut facts, at(2)), [DocumentKey::Feedback("old".into())].into());
    }

    /// Of a commit only its references are kept, for as long as a push or a merge brings it. A
    /// merge group is kept for as long as its push or checks are.
    #[test]
    fn a_commit_goes_once_nothing_brings_it() {
        let mut facts = RepoFacts::new(RepoKey { forge: ForgeName::github(), id: 1 });
        let says = CommitFacts { closes: vec![7], ..CommitFacts::default() };
        facts.commits.extend((1..=3).map(|n| (sha(n), says.clone())));
        let merge = Merge { at: at(1), sha: sha(2), by: None };
        let mut pull = ItemFacts::new(5, true);
        pull.pull = Some(PullFacts { merged: Some(merge), ..PullFacts::default() });
        facts.items.insert(5, pull);
        let group = GroupFacts { base_sha: sha(0), base_ref: "main".into(), pull: None, end: None };
        facts.groups.extend([3, 4, 5].map(|n| (sha(n), group.clone())));
        let tested = StatusFact {
            context: "ci".into(),
            outcome: RunOutcome::Success,
            at: at(4),
            url: String::new(),
            ours: false,
        };
        facts.checks.entry(sha(4)).or_default().statuses.insert(1, tested);
        let main = RefName::Branch("main".into());
        let push = push(main.clone(), sha(0), sha(3), at(4));
        facts.pushes.insert((main.clone(), sha(0), sha(3)), push);
        for key in [DocumentKey::Item(5), DocumentKey::Push(main, sha(0), sha(3))] {
            facts.reindex(&key);
        }
        assert!(forget(&mut facts, at(2)).is_empty(), "nothing is old");
        facts.refs.entry(RefName::Branch("gone".into())).or_default().moved(at(1), None);
        let went = forget(&mut facts, at(2));
        let gone = DocumentKey::Ref(RefName::Branch("gone".into()));
        assert_eq!(went, [gone, DocumentKey::Commit(sha(1)), DocumentKey::Group(sha(5))].into());
        assert_eq!(facts.groups.keys().collect::<Vec<_>>(), [&sha(3), &sha(4)]);
        assert_eq!(facts.commits.keys().collect::<Vec<_>>(), [&sha(2), &sha(3)]);
    }

    fn push(name: RefName, before: Sha, after: Sha, at: Timestamp) -> PushFacts {
        let commits = vec![after.clone()];
        PushFacts {
            name,
            before,
            after,
            forced: false,
            commits,
            paths: std::collections::BTreeMap::new(),
            new_commits: 0,
            first_commit: None,
            truncated: false,
            made_from: None,
            at,
            policy_file: None,
            pusher: None,
        }
    }

    #[test]
    fn what_is_old_goes_and_the_tables_follow() {
        let key = RepoKey { forge: ForgeName::github(), id: 1 };
        let mut facts = RepoFacts::new(key.clone());
        for day in 1..=4_u8 {
            let when = at(day.cast_signed());
            let name = RefName::Branch("topic".into());
            let push = push(name.clone(), sha(day - 1), sha(day), when);
            facts.pushes.insert((name, sha(day - 1), sha(day)), push);
            let run = RunFact {
                source_name: String::new(),
                completed: None,
                started_at: when,
                name: "ci".into(),
                source: CheckSource(1),
                suite: None,
                ours: false,
                url: String::new(),
            };
            facts.checks.entry(sha(day)).or_default().runs.insert(u64::from(day), run);
        }
        let went = forget(&mut facts, at(3));
        assert_eq!(went.len(), 4, "{went:?}");
        assert_eq!((facts.pushes.len(), facts.checks.len()), (2, 2));
        assert!(!facts.index.ended_at.contains_key(&sha(1)) && facts.index.ended_at.contains_key(&sha(3)));
        assert!(went.iter().all(|key| facts.document(key).is_none()));
        assert!(forget(&mut facts, at(3)).is_empty());
    }

    #[test]
    fn deployments_of_strangers_go_and_our_own_stay() {
        let mut facts = RepoFacts::new(RepoKey { forge: ForgeName::github(), id: 1 });
        for (id, from_fork) in [(1, true), (2, false), (3, true)] {
            let seen = crate::domain::event::DeploymentSeen {
                id,
                sha: sha(u8::try_from(id).unwrap()),
                reference: "refs/pull/1/merge".into(),
                environment: "preview".into(),
                production: None,
                created_at: at(i8::try_from(id).unwrap()),
                creator: None,
                run: None,
                from_fork: Some(from_fork),
                transient: false,
                source: None,
                status: None,
            };
            facts.deployments.insert(id, DeploymentFacts::new(&seen));
        }
        facts.deployments.update(&2, |own| own.reference = "main".into());
        assert_eq!(forget(&mut facts, at(3)), [DocumentKey::Deployment(1)].into());
        assert_eq!(facts.deployments.keys().copied().collect::<Vec<_>>(), [2, 3]);
    }

    #[test]
    fn the_run_of_a_deployment_stays_with_it() {
        use crate::domain::{
            event::{DeploymentSeen, RunTrigger},
            fact::deploy_request::RunFacts,
        };
        let mut facts = RepoFacts::new(RepoKey { forge: ForgeName::github(), id: 1 });
        let seen = DeploymentSeen {
            id: 1,
            sha: sha(1),
            reference: "main".into(),
            environment: "production".into(),
            production: None,
            created_at: at(1),
            creator: None,
            run: Some(70),
            from_fork: Some(false),
            transient: false,
            source: None,
            status: None,
        };
        facts.deployments.insert(1, DeploymentFacts::new(&seen));
        let run = RunFacts {
            attempt: 1,
            at: at(1),
            outcome: RunOutcome::Success,
            sha: sha(1),
            trigger: RunTrigger::Other("push".into()),
            title: String::new(),
            workflow: "deploy.yml".into(),
            created_at: at(1),
            url: String::new(),
            started_by: [].into(),
        };
        facts.runs.insert(70, run.clone());
        facts.runs.insert(71, run);
        assert_eq!(forget(&mut facts, at(3)), [DocumentKey::Run(71)].into());
    }
}
