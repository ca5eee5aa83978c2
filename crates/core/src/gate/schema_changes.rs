//! Schema changes of a database that belong to a subject.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use crate::{
    context::EvalContext,
    domain::{
        fact::RepoFacts,
        id::{ItemId, Sha},
        needs::{Answer, Need},
        policy::Policy,
        rule::{DatabaseRule, SchemaMatch},
        schema::{SchemaChange, SchemaPin, SchemaState, branch_key},
    },
    gate::{ConditionContext, Subject, carries::Carried},
    text::message::forge_words,
};

/// Shortest and longest time after which a database is asked again. Its messages may get lost.
const SHORTEST_POLL: SignedDuration = SignedDuration::from_secs(30);
const LONGEST_POLL: SignedDuration = SignedDuration::from_hours(1);
/// Fewest digits by which notes name a commit.
const FEWEST_DIGITS: usize = 7;

/// The schema changes of a subject.
pub(crate) struct Belonging<'f> {
    /// Those that belong to it, in the order of their numbers.
    pub(crate) changes: Vec<&'f SchemaChange>,
    /// Somebody has to approve a schema change before the database deploys it.
    pub(crate) needs_approval: bool,
}

/// Reason why they are not known.
pub(crate) enum Unknown {
    /// The database is being asked.
    Asked,
    /// The database did not answer, in its words.
    Refused(String),
    /// It is not known what the subject brings, for a reason; and whether that is being asked.
    Contents(String, bool),
}

/// Schema changes that can belong to a subject.
enum Which {
    /// Every open one.
    Open,
    /// Those from a branch with one of these keys.
    From(BTreeSet<String>),
    /// Those whose notes name one of these, of the repository with this `owner/name`.
    Naming(String, BTreeSet<ItemId>, Vec<Sha>),
}

/// Returns the schema changes that belong to a subject. Asks for what is not known.
pub(super) fn belonging<'f>(ctx: ConditionContext<'_, 'f>, rule: &DatabaseRule) -> Result<Belonging<'f>, Unknown> {
    let (facts, connection) = (ctx.eval.facts, &rule.connection);
    let which = which(ctx, rule)?;
    let pins = pins(facts, ctx.subject);
    let is_pinned = |change: &SchemaChange| pins.iter().any(|pin| is_of(pin, change));
    let known: Vec<&SchemaChange> = facts
        .schema_changes_of(connection)
        .filter(|change| is_pinned(change) || (change.into == rule.into && which.takes(change)))
        .collect();
    let last = known.iter().map(|change| change.at).fold(ctx.subject.since, Ord::max);
    let list = Need::SchemaChanges { connection: connection.clone(), into: rule.into.clone() };
    let asked = facts.answers.get(&list).map(|known| known.at);
    let wait = poll(asked.map_or(SignedDuration::ZERO, |asked| asked.duration_since(last)));
    let Some(Answer::SchemaChanges { numbers, needs_approval, .. }) = ctx.answer(&list, wait) else {
        return Err(unanswered(facts, &list));
    };
    let seen_at = asked.unwrap_or(ctx.eval.now);
    let mut changes = Vec::new();
    let newest = |change: &&&SchemaChange| {
        // A later one from the same branch replaces one that is over.
        let is_later = |other: &&&SchemaChange| other.from == change.from && other.number > change.number;
        change.is_open || is_pinned(change) || !known.iter().any(|other| is_later(&other))
    };
    for change in known.iter().filter(newest) {
        // One that is not listed any more is asked for by itself.
        if !numbers.contains(&change.number) && !change.state.is_final() && change.seen_at < seen_at {
            let one = Need::SchemaChange { connection: connection.clone(), number: change.number };
            if ctx.answer(&one, wait).is_none() {
                return Err(unanswered(facts, &one));
            }
        }
        changes.push(*change);
    }
    // What is shown does not name that time: it would change with each question.
    ctx.eval.look_again(seen_at.checked_add(wait).unwrap_or(Timestamp::MAX));
    Ok(Belonging { changes, needs_approval: *needs_approval })
}

/// Returns the schema changes that belong to a deploy and whose content is known, as they are now;
/// empty if they are not known.
pub(crate) fn contents(facts: &RepoFacts, policy: &Policy, subject: &Subject, now: Timestamp) -> Vec<SchemaPin> {
    let eval = EvalContext::new(facts, policy, now);
    let rule = subject.environment().and_then(|name| policy.environment(name)).and_then(|rule| rule.database.as_ref());
    let found = rule.and_then(|rule| belonging(ConditionContext { eval: &eval, subject }, rule).ok());
    let changes = found.into_iter().flat_map(|found| found.changes);
    let known = changes.filter(|change| !change.content.digest.is_empty() && change.state != SchemaState::Checking);
    known
        .map(|change| SchemaPin {
            connection: change.connection.clone(),
            number: change.number,
            content: change.content.clone(),
        })
        .collect()
}

/// Returns the content that a schema change had when the subject's deploy was asked for, if that is
/// another one than now.
pub(super) fn former<'f>(facts: &'f RepoFacts, subject: &Subject, change: &SchemaChange) -> Option<&'f SchemaPin> {
    pins(facts, subject).iter().find(|pin| is_of(pin, change) && pin.content != change.content)
}

fn pins<'f>(facts: &'f RepoFacts, subject: &Subject) -> &'f [SchemaPin] {
    let request = subject.request.as_ref().and_then(|id| facts.requests.get(id));
    request.map_or(&[][..], |request| &request.schema)
}

fn is_of(pin: &SchemaPin, change: &SchemaChange) -> bool {
    pin.connection == change.connection && pin.number == change.number
}

/// Returns the time after which a database is asked again: a tenth of the time that nothing changed.
fn poll(quiet: SignedDuration) -> SignedDuration {
    (quiet / 10).clamp(SHORTEST_POLL, LONGEST_POLL)
}

fn unanswered(facts: &RepoFacts, need: &Need) -> Unknown {
    match facts.answers.get(need).map(|known| &known.answer) {
        Some(Answer::Unavailable { why }) => Unknown::Refused(forge_words(why)),
        _ => Unknown::Asked,
    }
}

/// Returns which schema changes can belong to the subject. Where nothing ran before, there is
/// nothing to compare with: every open one does.
fn which(ctx: ConditionContext<'_, '_>, rule: &DatabaseRule) -> Result<Which, Unknown> {
    if rule.matching == SchemaMatch::Any {
        return Ok(Which::Open);
    }
    let carried = ctx.eval.carried(ctx.subject);
    let contents = match &carried {
        Carried::First => return Ok(Which::Open),
        Carried::Unknown { why, asked } => return Err(Unknown::Contents(why.clone(), *asked)),
        Carried::Changes(contents) => contents,
    };
    let pulls = carried.pulls();
    if rule.matching == SchemaMatch::Notes {
        let new = contents.brings.iter().filter(|change| change.is_new());
        let home = ctx.eval.facts.about.full_name.as_ref().map(|name| name.value.clone()).unwrap_or_default();
        return Ok(Which::Naming(home, pulls, new.map(|change| change.sha.clone()).collect()));
    }
    let mut branches = BTreeSet::new();
    for number in pulls {
        let Some(shape) = ctx.eval.facts.pull(number).and_then(|pull| pull.shape.as_ref()) else {
            return Err(Unknown::Contents(format!("the branch of #{number} is not known"), false));
        };
        branches.insert(branch_key(&shape.value.head_ref));
    }
    // A name of which nothing is left names no branch of the database.
    branches.remove("");
    Ok(Which::From(branches))
}

impl Which {
    fn takes(&self, change: &SchemaChange) -> bool {
        match self {
            Self::Open => change.is_open,
            Self::From(branches) => branches.contains(&branch_key(&change.from)),
            Self::Naming(home, pulls, shas) => names(&change.notes, home, pulls, shas),
        }
    }
}

/// Returns whether notes name one of this repository's pull requests (`#12`, or the address of its
/// page) or commits (at least seven digits). `home`: the repository's `owner/name`.
fn names(notes: &str, home: &str, pulls: &BTreeSet<ItemId>, shas: &[Sha]) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '#' | '/' | '-' | '_' | '.');
    let home = home.to_ascii_lowercase();
    let is_home = |place: &str| {
        let place = place.to_ascii_lowercase();
        place.is_empty() || (!home.is_empty() && (place == home || place.ends_with(&format!("/{home}"))))
    };
    notes.split(|c| !is_part(c)).map(|word| word.trim_matches('.')).any(|word| {
        let named = word.rsplit_once("/pull/").or_else(|| word.rsplit_once('#'));
        if let Some((place, digits)) = named {
            return is_home(place) && digits.parse().is_ok_and(|number| pulls.contains(&number));
        }
        let (place, digits) = word.rsplit_once("/commit/").unwrap_or(("", word));
        let digits = digits.to_ascii_lowercase();
        digits.len() >= FEWEST_DIGITS && is_home(place) && shas.iter().any(|sha| sha.starts_with(&digits))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_name_pull_requests_and_commits() {
        let (pulls, shas) = ([12].into(), ["0123456789abcdef0123456789abcdef01234567".parse().unwrap()]);
        let names = |notes| names(notes, "Acme/shop", &pulls, &shas);
        for notes in [
            "for #12.",
            "acme/Shop#12",
            "(https://github.com/acme/shop/pull/12)",
            "see 0123456",
            "https://github.com/acme/shop/commit/0123456789abcdef0123456789abcdef01234567",
        ] {
            assert!(names(notes), "{notes}");
        }
        for notes in [
            "",
            "12",
            "#123",
            "# 12",
            "012345",
            "x0123456",
            "#12abc",
            "acme/other#12",
            "https://github.com/evil-acme/shop/pull/12",
            "https://github.com/acme/other/commit/0123456789abcdef0123456789abcdef01234567",
        ] {
            assert!(!names(notes), "{notes}");
        }
    }

    #[test]
    fn a_database_is_asked_less_often_the_longer_nothing_changes() {
        let asked = |minutes| poll(SignedDuration::from_mins(minutes)).as_secs();
        assert_eq!([-5, 0, 4, 10, 60, 6_000].map(asked), [30, 30, 30, 60, 360, 3600]);
    }
}
