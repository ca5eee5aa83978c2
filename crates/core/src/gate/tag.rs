//! `tag`: the tag names an increasing version, never moved, and is signed if required.

use std::collections::BTreeSet;

use jiff::SignedDuration;

use crate::{
    commits::versions::{LIST_AGE, VersionTag},
    context::rights::WRITERS,
    domain::{
        event::RefName,
        fact::commit::RefFacts,
        id::Sha,
        needs::{Answer, Need},
        turn::Turn,
        version,
    },
    gate::{ConditionContext, condition_result::ConditionResult},
    text::message::quoted,
};

/// Greatest age of a signature check: a signature does not change while the tag does not move.
const SIGNATURE_AGE: SignedDuration = SignedDuration::from_hours(30 * 24);

pub(super) fn evaluate(ctx: ConditionContext<'_, '_>, increasing: bool, signed: bool) -> ConditionResult {
    let [first, rest @ ..] = ctx.subject.tags.as_slice() else {
        return ConditionResult::fail("tag_none", "no tag names the commit", retag(ctx, ""));
    };
    // The worst result of all tags counts.
    let mut worst = one(ctx, first, increasing, signed);
    for tag in rest {
        let next = one(ctx, tag, increasing, signed);
        if next.condition.standing < worst.condition.standing {
            worst = next;
        }
    }
    worst
}

fn one(ctx: ConditionContext<'_, '_>, tag: &str, increasing: bool, signed: bool) -> ConditionResult {
    let name = quoted(tag);
    let moves = ctx.eval.facts.refs.get(&RefName::Tag(tag.to_owned())).map(RefFacts::moves);
    let places: BTreeSet<&Sha> = moves.into_iter().flatten().filter_map(|(_, sha)| sha.as_ref()).collect();
    let made = moves.and_then(|moves| moves.first()).map(|(at, _)| *at);
    if places.len() > 1 {
        let at = moves.and_then(|moves| moves.last()).map(|(at, _)| *at);
        return ConditionResult::fail("tag_moved", format!("{name} was moved"), retag(ctx, "another ")).seen(at);
    }
    if increasing && let Some(finding) = not_higher(ctx, tag) {
        return finding;
    }
    if signed {
        if places.is_empty() {
            return ConditionResult::fail(
                "tag_unsigned",
                format!("{name} is not there yet: publishing makes one without a signature"),
                retag(ctx, "a signed "),
            );
        }
        let need = Need::TagSignature { tag: tag.to_owned() };
        match ctx.answer(&need, SIGNATURE_AGE) {
            Some(Answer::TagSignature { verified: true, .. }) => {}
            Some(Answer::TagSignature { reason, .. }) => {
                return ConditionResult::fail(
                    "tag_unsigned",
                    format!("the signature of {name} is not good: {}", quoted(reason)),
                    retag(ctx, "a signed "),
                )
                .seen(made);
            }
            _ => return ctx.missing(&need, "tag_signature", &format!("whether {name} is signed")),
        }
    }
    let how = if signed { "signed and never moved" } else { "never moved" };
    ConditionResult::pass("tag", format!("{name}: {how}")).seen(made)
}

/// Returns the turn of those who make a tag.
fn retag(ctx: ConditionContext<'_, '_>, which: &str) -> Turn {
    let which = if which.is_empty() { "a " } else { which };
    Turn::people(WRITERS, format!("push {which}version tag that names {}", ctx.subject.sha.code()))
}

/// Returns the failure if a tag's version is not higher than those that its commit contains.
fn not_higher(ctx: ConditionContext<'_, '_>, tag: &str) -> Option<ConditionResult> {
    let name = quoted(tag);
    let Some(version) = version::parse(tag) else {
        let words = format!("{name} is no semantic version");
        return Some(ConditionResult::fail("tag_no_version", words, retag(ctx, "")));
    };
    let listed = ctx.answer(&Need::Tags, LIST_AGE).and(ctx.eval.facts.tags.listed.as_ref());
    let Some(listed) = listed else {
        return Some(ctx.missing(&Need::Tags, "tags", "which tags there are"));
    };
    // Of the versions that may be too high, the lowest are the likeliest to be contained.
    let others = ctx.eval.tags_from(&version, listed).filter(|other| other.tag != tag);
    for VersionTag { tag: other, sha, .. } in others {
        let contains = ctx.contains(&ctx.subject.sha, sha);
        if contains == Some(true) {
            let words = format!("{name} is not higher than {}, which it contains", quoted(other));
            return Some(ConditionResult::fail("tag_not_higher", words, retag(ctx, "a higher ")));
        }
        if contains.is_none() {
            let need = Need::Commits { base: Some(sha.clone()), head: ctx.subject.sha.clone() };
            let what = format!("whether {name} contains {}", quoted(other));
            return Some(ctx.missing(&need, "tag", &what));
        }
    }
    None
}
