//! Messages about the schema changes of a deploy.

use jiff::{Timestamp, tz::TimeZone};

use crate::{
    deploy::schema::known,
    domain::{
        effect::SchemaAct,
        fact::{
            RepoFacts,
            deploy_request::{RequestEnd, RequestKind},
        },
        schema::{SchemaChange, SchemaPin},
        turn::Turn,
    },
    text::{
        headline::Headline,
        message::{command, forge_words, moment, quoted},
    },
};

fn name(connection: &str, number: u64) -> String {
    format!("schema change {number} of {}", quoted(connection))
}

fn of(pin: &SchemaPin) -> String {
    name(&pin.connection, pin.number)
}

pub(super) fn asked(pin: &SchemaPin) -> String {
    format!("{} is being asked for {}", quoted(&pin.connection), of(pin))
}

pub(super) fn under_way(change: &SchemaChange) -> String {
    format!("{} is under way", name(&change.connection, change.number))
}

pub(super) fn acting(pin: &SchemaPin, act: SchemaAct) -> String {
    let does = match act {
        SchemaAct::Deploy => "is being deployed",
        SchemaAct::Apply => "is being applied",
        SchemaAct::Revert => "is being reverted",
    };
    format!("{} {does}", of(pin))
}

pub(super) fn mixed(pin: &SchemaPin) -> Headline {
    let turn = Turn::asker(
        "split it into one that adds and one that drops, or set `order` of the environment's `database` in the policy",
    );
    Headline::new(format!("{} both adds and drops, so it fits neither before nor after the code", of(pin)), turn)
}

pub(super) fn changed(pin: &SchemaPin) -> Headline {
    let turn = Turn::asker("check its new schema, and ask for the deploy again");
    Headline::new(format!("{} changed after this deploy was asked for", of(pin)), turn)
}

pub(super) fn stuck(pin: &SchemaPin, how: &str) -> Headline {
    let turn = Turn::people(format!("someone who may deploy at {}", quoted(&pin.connection)), "mend it there");
    Headline::new(format!("{} {how}", of(pin)), turn)
}

pub(super) fn refused(pin: &SchemaPin, why: &str) -> Headline {
    let turn = Turn::people(format!("someone who may deploy at {}", quoted(&pin.connection)), "look at it there");
    Headline::new(
        format!("{} did not carry out the request for {}: {}", quoted(&pin.connection), of(pin), forge_words(why)),
        turn,
    )
}

/// Returns why a schema change was left as it is after its code was deployed.
pub(super) fn left(pin: &SchemaPin, why: &str) -> Headline {
    let turn = Turn::people(
        format!("someone who may deploy at {}", quoted(&pin.connection)),
        "deploy it there once nothing stands against it",
    );
    Headline::new(format!("{} was left: {why}", of(pin)), turn)
}

pub(super) fn let_go(pin: &SchemaPin) -> Headline {
    let turn = Turn::people(format!("someone who may deploy at {}", quoted(&pin.connection)), "look at it there");
    Headline::new(format!("the environment was unlocked, so phasebot stopped tracking {}", of(pin)), turn)
}

pub(super) fn not_in_time(pin: &SchemaPin) -> Headline {
    stuck(pin, "was not applied within a day")
}

/// Returns a success, with what is left to do about the schema.
pub(super) fn beside(done: &Headline, failed: &Headline) -> Headline {
    Headline::new(format!("{}, but {}", done.state(), failed.state()), failed.turn().clone())
}

pub(super) fn no_way_back(pin: &SchemaPin, why: &str, environment: &str) -> Headline {
    let line = command(&["rollback", environment, "keep-schema"]);
    let turn = Turn::asker(format!("comment {line} if the old code works without what was dropped"));
    Headline::new(format!("the old code needs what {} dropped, and {why}", of(pin)), turn)
}

pub(super) fn reverts(pin: &SchemaPin) -> String {
    format!("Before that, phasebot reverts {}, which dropped something that the old code needs.", of(pin))
}

/// Returns that a schema change stays, and until when it could be reverted.
pub(super) fn stays(change: &SchemaChange, zone: &TimeZone, now: Timestamp) -> String {
    let until = change.revertible_until.filter(|until| *until > now && change.state.is_applied());
    let until = until.map(|until| format!(", and can be reverted there until {}", moment(until, zone)));
    let what = name(&change.connection, change.number);
    format!("The {what} stays{}.", until.unwrap_or_default())
}

/// Adds to the end of a deploy what remains of its schema changes, if the code did not follow them.
pub(in crate::deploy) fn with_remains(
    facts: &RepoFacts,
    id: &str,
    how: RequestEnd,
    why: &Headline,
    zone: &TimeZone,
    now: Timestamp,
) -> Headline {
    let Some(request) = facts.requests.get(id) else { return why.clone() };
    let is_over = matches!(how, RequestEnd::Succeeded | RequestEnd::DryRunEnded);
    if is_over || request.kind == RequestKind::Rollback {
        return why.clone();
    }
    let acted = |pin: &&SchemaPin| request.schema_steps.iter().any(|step| step.number == pin.number);
    let applied = request.schema.iter().filter(acted).filter_map(|pin| known(facts, pin));
    let said: Vec<String> = applied.filter(|it| it.state.is_applied()).map(|it| stays(it, zone, now)).collect();
    if said.is_empty() { why.clone() } else { why.clone().with(said.join(" ")) }
}
