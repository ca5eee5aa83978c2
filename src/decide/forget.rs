//! Letting go of old evidence, so that facts do not grow with every event.
//!
//! Items, tags, releases and deployments stay: they are few, and labels rest
//! on them. What a busy repository heaps up is pushes, checks and answers.
//! Ancestry that is no longer recorded is asked of the forge when it matters.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::domain::{
    event::RefName,
    fact::{DocumentKey, RepoFacts, commit::CommitChecks},
};

/// Takes out what is older than `before`; returns the documents that went.
pub fn forget(facts: &mut RepoFacts, before: Timestamp) -> BTreeSet<DocumentKey> {
    let pushes = facts.pushes.iter().filter(|(_, push)| push.at < before);
    let pushes = pushes.map(|((name, from, to), _)| DocumentKey::Push(name.clone(), from.clone(), to.clone()));
    let checks = facts.checks.iter().filter(|(_, checks)| last_turn(checks).is_some_and(|at| at < before));
    let checks = checks.map(|(sha, _)| DocumentKey::Checks(sha.clone()));
    let answers = facts.answers.values().filter(|a| a.at < before);
    let answers = answers.map(|a| DocumentKey::Answer(a.need.clone()));
    let branches = facts.refs.iter().filter(|(name, place)| {
        let gone = place.moves.last().is_some_and(|(at, to)| to.is_none() && *at < before);
        matches!(name, RefName::Branch(_)) && gone
    });
    let branches = branches.map(|(name, _)| DocumentKey::Ref(name.clone()));
    let runs = facts.runs.iter().filter(|(_, run)| run.at < before).map(|(id, _)| DocumentKey::Run(*id));
    let jobs = facts.waiting_jobs.iter().filter(|(_, job)| job.requests.values().all(|at| *at < before));
    let jobs = jobs.map(|((run, name), _)| DocumentKey::WaitingJob(*run, name.clone()));
    let branches = branches.chain(runs).chain(jobs);
    let old: BTreeSet<DocumentKey> = pushes.chain(checks).chain(answers).chain(branches).collect();
    facts.remove(&old);
    // What is left of commits and merge groups that nothing brings or tests any more.
    let brought = |sha| facts.index.brought_by.contains_key(sha);
    let commits = facts.commits.keys().filter(|sha| !brought(*sha) && !facts.index.merged_as.contains_key(*sha));
    let groups = facts.groups.keys().filter(|sha| !facts.checks.contains_key(*sha) && !brought(*sha));
    let loose: BTreeSet<DocumentKey> = if old.is_empty() {
        BTreeSet::new()
    } else {
        commits.cloned().map(DocumentKey::Commit).chain(groups.cloned().map(DocumentKey::Group)).collect()
    };
    facts.remove(&loose);
    old.into_iter().chain(loose).collect()
}

/// When something last happened on a commit.
fn last_turn(checks: &CommitChecks) -> Option<Timestamp> {
    let runs = checks.runs.values().map(|run| run.completed.map_or(run.started_at, |(at, _)| at));
    runs.chain(checks.statuses.values().map(|status| status.at)).max()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        fact::commit::{PushFacts, RunFact},
        id::{ForgeName, RepoKey, Sha},
    };

    fn at(day: i8) -> Timestamp {
        jiff::civil::date(2026, 1, day).to_zoned(jiff::tz::TimeZone::UTC).unwrap().timestamp()
    }

    fn sha(n: u8) -> Sha {
        Sha(format!("{n:040x}"))
    }

    #[test]
    fn what_is_old_goes_and_the_tables_follow() {
        let key = RepoKey { forge: ForgeName::github(), id: 1 };
        let mut facts = RepoFacts::new(key.clone());
        for day in 1..=4_u8 {
            let when = at(day.cast_signed());
            let name = RefName::Branch("main".into());
            let push = PushFacts {
                name: name.clone(),
                before: sha(day - 1),
                after: sha(day),
                forced: false,
                commits: vec![sha(day)],
                truncated: false,
                at: when,
                policy_file: None,
            };
            facts.pushes.insert((name, sha(day - 1), sha(day)), push);
            let run =
                RunFact { completed: None, started_at: when, name: "ci".into(), app: 1, suite: None, ours: false };
            facts.checks.entry(sha(day)).or_default().runs.insert(u64::from(day), run);
        }
        let went = forget(&mut facts, at(3));
        assert_eq!(went.len(), 4, "{went:?}");
        assert_eq!((facts.pushes.len(), facts.checks.len()), (2, 2));
        assert!(!facts.index.ended_at.contains_key(&sha(1)) && facts.index.ended_at.contains_key(&sha(3)));
        assert!(went.iter().all(|key| facts.document(key).is_none()));
        assert!(forget(&mut facts, at(3)).is_empty());
    }
}
