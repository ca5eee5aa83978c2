//! Changes that went live: pull requests, and commits that landed without one.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::{
    commits::{
        landing::{Landing, Work},
        services::Touched,
    },
    context::EvalContext,
    domain::{
        event::DeployState,
        fact::item::PullFacts,
        id::{ItemId, Sha},
        insight::{KEEPS_ALL, RowGroup, RowKind},
        service::Scope,
    },
    environment::{Environment, history::Run},
    evidence::shipped::first,
    insight::{
        row::{ChangeRow, Row as _},
        settled::is_settled,
    },
};

/// The beginning of a change, and what is known of it.
struct Beginning {
    start: Timestamp,
    has_first_commit: bool,
    commits: u32,
    opened: Option<Timestamp>,
    merged: Option<Timestamp>,
    automated: bool,
}

/// Returns the rows of a change, one for each environment in which it ever ran.
pub(crate) fn change_rows(eval: &EvalContext<'_>, work: &Work) -> RowGroup {
    let owner = name_of(work);
    let rows = rows(eval, work, &owner);
    let settled = !rows.is_empty() && rows.iter().all(|row| is_settled(eval, row.live));
    let from = if settled { KEEPS_ALL.to_owned() } else { String::new() };
    let rows = rows.iter().map(ChangeRow::stored).collect();
    RowGroup { kind: RowKind::Change, owner, from, rows }
}

/// Returns that commits of a pull request are no changes of their own, as they may have seemed
/// before it was known.
pub(crate) fn no_rows_of_commits(eval: &EvalContext<'_>, number: ItemId, pull: &PullFacts) -> Vec<RowGroup> {
    let merge = pull.merged.as_ref().map(|merge| &merge.sha);
    let commits = eval.branch_commits(number, pull).into_iter().chain(eval.merged_commits(pull));
    let commits: BTreeSet<&Sha> = commits.chain(pull.heads.keys()).chain(merge).collect();
    let none =
        |sha: &Sha| RowGroup { kind: RowKind::Change, owner: sha.to_string(), from: String::new(), rows: Vec::new() };
    commits.into_iter().map(none).collect()
}

/// Returns the name of a change: `#12`, or the whole commit.
pub(crate) fn name_of(work: &Work) -> String {
    match work {
        Work::Pull(number) => format!("#{number}"),
        Work::Commit(sha) => sha.to_string(),
    }
}

/// Returns the first run of an environment that contained a change, with the landing by which it
/// did.
pub(crate) fn first_run<'f>(
    eval: &EvalContext<'f>,
    environment: &Environment<'f>,
    work: &Work,
) -> Option<(Run<'f>, Landing)> {
    let landings = eval.landings(work);
    let runs = landings.iter().filter_map(|landing| Some((eval.first_run_of(environment, landing)?, landing.clone())));
    runs.min_by_key(|(run, _)| (run.from, run.deployment))
}

/// Returns the work that a piece of work says that it reverts.
pub(crate) fn reverted_by(eval: &EvalContext<'_>, work: &Work) -> BTreeSet<Work> {
    let pull = match work {
        Work::Pull(number) => eval.facts.pull(*number),
        Work::Commit(_) => None,
    };
    let pulls = pull.and_then(|pull| pull.refs.as_ref()).into_iter().flat_map(|refs| &refs.value.reverts);
    let mut found: BTreeSet<Work> = pulls.map(|number| Work::Pull(*number)).collect();
    let own = match work {
        Work::Commit(sha) => Some(sha),
        Work::Pull(_) => None,
    };
    let merged = pull.map(|pull| eval.merged_commits(pull)).unwrap_or_default();
    let said = merged.into_iter().chain(own).filter_map(|sha| eval.facts.commits.get(sha));
    for commit in said.flat_map(|commit| &commit.reverts) {
        found.extend(eval.pulls_by(commit).into_iter().map(Work::Pull));
        found.insert(Work::Commit(commit.clone()));
    }
    found.remove(work);
    found
}

fn rows(eval: &EvalContext<'_>, work: &Work, name: &str) -> Vec<ChangeRow> {
    let promotes = matches!(work, Work::Pull(number) if eval.is_promotion(*number));
    if promotes || eval.landings(work).is_empty() {
        return Vec::new();
    }
    let services = |environment: &str| -> Option<BTreeSet<String>> {
        let policy = eval.policy;
        let here =
            policy.services.keys().filter(|name| policy.scope_takes_environment(Scope::Service(name), environment));
        match eval.touched(work) {
            _ if policy.services.is_empty() => None,
            Touched::Known(touched) => Some(here.filter(|name| touched.contains(name.as_str())).cloned().collect()),
            Touched::Cut | Touched::Unknown => Some(here.cloned().collect()),
        }
    };
    let mut found = Vec::new();
    for environment in eval.environments() {
        if !eval.is_within(work, |scope| eval.policy.scope_takes_environment(scope, environment.name)) {
            continue;
        }
        let Some((run, _)) = first_run(eval, environment, work) else { continue };
        found.push((environment, run));
    }
    if found.is_empty() {
        return Vec::new();
    }
    let Some(beginning) = beginning(eval, work) else { return Vec::new() };
    let row = |(environment, run): &(&Environment<'_>, Run<'_>)| {
        let earlier = found
            .iter()
            .filter(|(other, before)| other.production && (before.from, other.name) < (run.from, environment.name));
        let begun = first(run.facts, DeployState::InProgress).unwrap_or(run.facts.created_at);
        ChangeRow {
            change: name.to_owned(),
            environment: environment.name.to_owned(),
            production: environment.production,
            services: services(environment.name),
            commits: beginning.commits,
            start: beginning.start.min(run.from),
            has_first_commit: beginning.has_first_commit,
            opened: beginning.opened,
            merged: beginning.merged,
            begun: begun.min(run.from),
            live: run.from,
            deployment: run.deployment,
            automated: beginning.automated,
            before_merge: beginning.merged.is_some_and(|merged| run.from < merged),
            lost: lost(eval, environment, work),
            again: earlier.clone().next().is_some(),
            again_for: earlier.filter_map(|(other, _)| services(other.name)).flatten().collect(),
        }
    };
    found.iter().map(row).collect()
}

/// Returns since when an environment runs something else without a change, or the change is reverted;
/// `None` if neither. An environment that was taken down runs nothing else.
fn lost(eval: &EvalContext<'_>, environment: &Environment<'_>, work: &Work) -> Option<Timestamp> {
    let landings = eval.landings(work);
    let ends: Vec<Option<Timestamp>> =
        landings.iter().flat_map(|landing| eval.runs_of(environment, landing)).map(|span| span.until).collect();
    if ends.contains(&None) {
        return None;
    }
    let end = ends.into_iter().flatten().max()?;
    if landings.iter().any(|landing| landing.until == Some(end)) {
        return Some(end);
    }
    environment.runs_since(end).into_iter().map(|run| run.from).find(|from| *from >= end)
}

fn beginning(eval: &EvalContext<'_>, work: &Work) -> Option<Beginning> {
    match work {
        Work::Pull(number) => of_pull(eval, *number),
        Work::Commit(sha) => of_commit(eval, sha),
    }
}

fn of_pull(eval: &EvalContext<'_>, number: ItemId) -> Option<Beginning> {
    let item = eval.facts.items.get(&number)?;
    let pull = item.pull.as_ref()?;
    let merged = pull.merged.as_ref().map(|merge| merge.at);
    let pushes = eval.branch_pushes(number, pull);
    let first_commit = pushes.iter().filter_map(|push| push.first_commit).min();
    let seen = pull.heads.values().min().copied();
    let start = [first_commit, seen, item.created_at, merged].into_iter().flatten().min()?;
    // A rewrite replaces the commits before it.
    let commits = pushes.iter().fold(0_u32, |sum, push| {
        let before = if push.forced { 0 } else { sum };
        before.saturating_add(push.new_commits)
    });
    let ignored = &eval.policy.ignore.authors;
    let automated = item.author.as_ref().is_some_and(|author| ignored.iter().any(|login| author.is_called(login)));
    Some(Beginning {
        start,
        has_first_commit: first_commit.is_some(),
        commits: commits.max(1),
        opened: item.created_at,
        merged,
        automated,
    })
}

fn of_commit(eval: &EvalContext<'_>, sha: &Sha) -> Option<Beginning> {
    let landed = eval.landings(&Work::Commit(sha.clone())).iter().map(|landing| landing.from).min()?;
    let pushes = eval.facts.index.brought_by.get(sha).into_iter().flatten();
    let first = pushes.filter_map(|id| eval.facts.pushes.get(id)).min_by_key(|push| push.at);
    // Which of several commits of a push was the earliest is not recorded.
    let committed = first.filter(|push| push.new_commits == 1).and_then(|push| push.first_commit);
    let seen = first.map_or(landed, |push| push.at.min(landed));
    Some(Beginning {
        start: committed.map_or(seen, |at| at.min(seen)),
        has_first_commit: committed.is_some(),
        commits: 1,
        opened: None,
        merged: Some(landed),
        automated: false,
    })
}
