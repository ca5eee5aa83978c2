//! `/rollback`: deploys the last good commit and locks the environment.

use crate::{
    command::{
        Place, Row, deploy,
        grammar::{Given, Kind, Value, may, must},
        messages,
        run::{CommandResult, Invocation},
    },
    deploy::{back_note, way_back},
    domain::{
        effect::RefGuard,
        event::RefName,
        fact::{RepoFacts, deploy_request::RequestKind},
        id::Sha,
        permission::Role,
    },
};

pub(super) static ROW: Row = Row {
    name: "rollback",
    forms: &[&[
        must("ENV", Kind::Word),
        may("to", Kind::Key(Value::Ref)),
        may("keep-schema", Kind::Flag),
        may("dry-run", Kind::Flag),
    ]],
    least: Role::Write,
    place: Place::Anywhere,
    forks: false,
    help: "Deploys the last good commit and locks the environment; `dry-run` shows what would happen",
    run,
};

fn run(turn: &mut Invocation<'_>, given: &Given) -> CommandResult {
    let (environment, rule) = match deploy::place(turn, given) {
        Ok(found) => found,
        Err(answer) => return answer,
    };
    if let Some(why) = deploy::changed_meanwhile(turn, [&environment]) {
        return CommandResult::Refused(why);
    }
    let way = way_back(turn.facts, turn.policy, &environment, &rule, turn.now);
    if !way.has_run {
        return CommandResult::Refused(messages::nothing_runs(&environment));
    }
    let target = if let Some(name) = given.optional("to") {
        // A person who names a commit decides for themselves, so it may have seen an incident.
        way.targets.iter().find(|target| names(turn.facts, name, &target.sha))
    } else {
        let known = way.targets.iter().find(|target| target.quiet && target.permitted);
        known.or_else(|| way.targets.iter().find(|target| target.quiet))
    };
    let Some(target) = target else {
        let back: Vec<Sha> = way.targets.iter().map(|target| target.sha.clone()).collect();
        return CommandResult::Refused(messages::no_way_back(
            &environment,
            given.optional("to"),
            way.runs.as_ref(),
            &back,
        ));
    };
    let (sha, name) = (target.sha.clone(), given.text("to").to_owned());
    let mut request = turn.ask(&environment, RequestKind::Rollback, &name, RefGuard::Commit, Some(sha));
    request.note = way.tell(&environment, target, turn.policy);
    request.keeps_schema = given.has("keep-schema");
    let schema = back_note(turn.facts, turn.policy, &environment, &target.sha, request.keeps_schema, turn.now);
    request.note.push_str(&schema);
    request.dry_run = given.has("dry-run");
    CommandResult::Deploy(Box::new(request))
}

/// Returns whether a name denotes a commit that ran: by its digits, or by a tag at it.
fn names(facts: &RepoFacts, name: &str, sha: &Sha) -> bool {
    let lower = name.to_ascii_lowercase();
    let digits = lower.len() >= 7 && sha.starts_with(&lower);
    let tag = facts.refs.get(&RefName::Tag(name.to_owned())).and_then(|place| place.moves().last());
    digits || tag.is_some_and(|(_, at)| at.as_ref() == Some(sha))
}
