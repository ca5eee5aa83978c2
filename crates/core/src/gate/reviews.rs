//! `reviews`: every pull request that the subject brings was approved on its last commit, and no
//! change request is outstanding.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use crate::{
    commits::branches::OnLine,
    context::rights::PermissionState,
    domain::{
        effect::RefGuard,
        event::{RefName, Verdict},
        fact::item::{PullFacts, ReviewFact},
        id::{Account, AccountId, ItemId, Sha},
        needs::{Answer, Need},
        rule::ConditionName,
        turn::Turn,
    },
    gate::{ConditionContext, condition_result::ConditionResult, contents::Unknown, turns},
    text::message::{forge_words, quoted},
};

/// Greatest age of an answer about a pull request: the commits of a merged one don't change, and
/// its reviews rarely do.
const AGE: SignedDuration = SignedDuration::from_hours(24);
/// Limit on the commits that are examined one by one.
const MOST_COMMITS: usize = 250;
/// Limit on the commits of unknown origin that are asked about.
const MOST_UNKNOWN: usize = 20;

pub(super) fn evaluate(ctx: ConditionContext<'_, '_>, count: u8) -> ConditionResult {
    let pulls = match pulls(ctx) {
        Ok(pulls) => pulls,
        Err(finding) => return *finding,
    };
    if pulls.is_empty() {
        return ConditionResult::pass("reviews_none", "it carries nothing new");
    }
    let mut missing: BTreeSet<ItemId> = BTreeSet::new();
    let mut unclear: Option<ConditionResult> = None;
    let mut against: BTreeSet<ItemId> = BTreeSet::new();
    let mut unentitled: Vec<(ItemId, String)> = Vec::new();
    let mut last: Option<Timestamp> = None;
    for pull in &pulls {
        match reviewed(ctx, *pull) {
            Err(finding) => return *finding,
            Ok(found) => {
                last = last.max(found.last);
                if found.against {
                    against.insert(*pull);
                } else if found.approvals + found.unclear_approvals.len() < usize::from(count) {
                    missing.insert(*pull);
                    unentitled.extend(found.unentitled);
                } else if found.approvals < usize::from(count) {
                    unclear = unclear.or_else(|| found.unclear_approvals.into_iter().next());
                }
                unclear = unclear.or(found.unclear_against);
            }
        }
    }
    if !against.is_empty() {
        let turn = Turn::people(
            format!("the author of {}", list(&against)),
            "make the requested changes and ask for another review",
        );
        return ConditionResult::fail("reviews_against", format!("changes are requested on {}", list(&against)), turn)
            .seen(last);
    }
    if !missing.is_empty() {
        let what = if count == 1 { "an approval".to_owned() } else { format!("{count} approvals") };
        let words = format!("{what} of the last commit missing: {}{}", list(&missing), without_right(&unentitled));
        let who = format!("someone with write access but {} author", if missing.len() == 1 { "its" } else { "their" });
        let turn = Turn::people(who, format!("approve {} in a review", list(&missing)));
        return ConditionResult::fail("reviews_missing", words, turn).seen(last);
    }
    if let Some(unclear) = unclear {
        return unclear.seen(last);
    }
    ConditionResult::pass("reviewed", format!("approved: {}", list(&pulls))).seen(last)
}

/// Returns the pull requests that the subject brings.
fn pulls(ctx: ConditionContext<'_, '_>) -> Result<BTreeSet<ItemId>, Box<ConditionResult>> {
    let facts = ctx.eval.facts;
    let sha = &ctx.subject.sha;
    // A request for an open pull request brings that pull request only.
    let request = ctx.subject.request.as_ref().and_then(|id| facts.requests.get(id));
    if let Some(RefGuard::Pull(pull)) = request.map(|request| &request.watched) {
        return Ok([*pull].into());
    }
    let open = open_pulls(ctx);
    if !open.is_empty() {
        // A landed commit brings everything below it, even if it also is the head of an open pull
        // request.
        match ctx.eval.on_line(sha) {
            OnLine::No => return Ok(open),
            OnLine::Unknown(why) => return Err(Box::new(place_unknown(sha, why.as_deref()))),
            OnLine::Yes { .. } => {}
        }
    }
    let unknown = |unknown: Unknown| Box::new(unknown.finding(ctx, "reviews", "what it carries"));
    // Without a base to compare with, the commit itself has to be reviewed.
    let commits = ctx.new_commits().map_err(unknown)?.unwrap_or_else(|| BTreeSet::from([sha]));
    brought(ctx, &commits)
}

/// Returns the open pull requests that account for the subject's commit if it is on no line: those
/// whose head it is. A fork's counts only if the commit is not in this repository by itself.
fn open_pulls(ctx: ConditionContext<'_, '_>) -> BTreeSet<ItemId> {
    let facts = ctx.eval.facts;
    let sha = &ctx.subject.sha;
    let is_here = facts.is_own_commit(sha) == Some(true);
    let speaks = |number: &ItemId| {
        let item = facts.items.get(number);
        let is_open = item.is_some_and(|item| item.closed(ctx.eval.now).is_none());
        let pull = facts.pull(*number).filter(|pull| pull.merged.is_none());
        let from_fork = pull.and_then(|pull| pull.shape.as_ref()).is_none_or(|shape| shape.value.from_fork);
        is_open && pull.is_some() && !(from_fork && is_here)
    };
    facts.pulls_with_head(sha).filter(speaks).collect()
}

fn place_unknown(sha: &Sha, why: Option<&str>) -> ConditionResult {
    let what = format!("whether {} is on a branch that counts", sha.code());
    match why {
        Some(why) => {
            let words = format!("GitHub did not say {what}: {}", forge_words(why));
            ConditionResult::error("reviews_unavailable", words, turns::refused())
        }
        None => ConditionResult::unknown("reviews_asked", format!("GitHub is being asked {what}"), Turn::asking()),
    }
}

/// Returns whether the subject's commits may have landed on a branch: a listed one, or one to which
/// the subject itself was pushed. A pull request into any other branch does not count.
fn is_line(ctx: ConditionContext<'_, '_>, branch: &str) -> bool {
    let pushed = ctx.eval.facts.index.brought_by.get(&ctx.subject.sha).into_iter().flatten();
    let mut pushed = pushed.map(|(name, _, _)| name);
    ctx.eval.listed(branch) || pushed.any(|name| matches!(name, RefName::Branch(other) if other == branch))
}

/// Returns whether a pull request was merged into such a branch, as far as events show.
fn landed_by(ctx: ConditionContext<'_, '_>, number: ItemId) -> bool {
    let pull = ctx.eval.facts.pull(number).filter(|pull| pull.merged.is_some());
    pull.and_then(PullFacts::target).is_some_and(|target| is_line(ctx, target))
}

/// Returns the pull requests that brought commits. `Err` if a commit came without one, as it was
/// never reviewed, or if that is unknown.
fn brought(ctx: ConditionContext<'_, '_>, commits: &BTreeSet<&Sha>) -> Result<BTreeSet<ItemId>, Box<ConditionResult>> {
    if commits.len() > MOST_COMMITS {
        let words = format!("it contains {} commits, more than phasebot examines", commits.len());
        return Err(Box::new(ConditionResult::error("reviews_too_many", words, ctx.overrides(ConditionName::Reviews))));
    }
    let mut pulls: BTreeSet<ItemId> = BTreeSet::new();
    let mut strange: Vec<&Sha> = Vec::new();
    for sha in commits {
        let mut by = ctx.eval.pulls_by(sha);
        by.retain(|number| landed_by(ctx, *number));
        if by.is_empty() {
            strange.push(sha);
        }
        pulls.extend(by);
    }
    if strange.len() > MOST_UNKNOWN {
        let words = format!("it contains {} commits of which no pull request is known", strange.len());
        return Err(Box::new(ConditionResult::error("reviews_unknown", words, ctx.overrides(ConditionName::Reviews))));
    }
    let mut unasked: Option<ConditionResult> = None;
    for sha in strange {
        let need = Need::PullsOf { sha: sha.clone() };
        let Some(Answer::BroughtBy(by)) = ctx.answer(&need, AGE) else {
            let what = format!("which pull request brought {}", sha.code());
            unasked.get_or_insert_with(|| ctx.missing(&need, "reviews", &what));
            continue;
        };
        let landed = by
            .iter()
            .filter(|(number, base)| is_line(ctx, base) || landed_by(ctx, **number))
            .map(|(number, _)| *number);
        let landed: BTreeSet<ItemId> = landed.collect();
        if landed.is_empty() {
            let words = format!("{} was pushed without a pull request", sha.code());
            return Err(Box::new(ConditionResult::fail(
                "reviews_bypassed",
                words,
                ctx.overrides(ConditionName::Reviews),
            )));
        }
        pulls.extend(landed);
    }
    unasked.map_or(Ok(pulls), |finding| Err(Box::new(finding)))
}

/// Result of a pull request's reviews.
struct Reviewed {
    /// Approvals of its last commit by people who may write.
    approvals: usize,
    /// Accounts that approved the last commit and may not, or no longer, write.
    unentitled: Vec<(ItemId, String)>,
    /// Someone who may write requests changes.
    against: bool,
    /// Approvals of the last commit by people whose write access is unknown, or who may be its
    /// author.
    unclear_approvals: Vec<ConditionResult>,
    /// A request for changes by someone whose write access is unknown.
    unclear_against: Option<ConditionResult>,
    /// Time of the last review that counts.
    last: Option<Timestamp>,
}

/// Returns the result while a reviewer's write access is unknown; `None` if it is known.
fn permission_unknown(number: ItemId, right: &PermissionState, account: &Account) -> Option<ConditionResult> {
    let words = right.unknown(&account.login, "may write")?;
    Some(match right {
        PermissionState::Unavailable(_) => {
            ConditionResult::error("reviews_permission_unavailable", words, turns::refused())
        }
        PermissionState::Nameless => {
            ConditionResult::unknown("reviews_account_unknown", words, reviews_again(number)).by_hand()
        }
        PermissionState::Held | PermissionState::Denied | PermissionState::Asked => {
            ConditionResult::unknown("reviews_permission_asked", words, Turn::asking())
        }
    })
}

/// Returns the turn of those who review a pull request once more.
fn reviews_again(number: ItemId) -> Turn {
    Turn::people("someone with write access but its author", format!("review #{number} again"))
}

fn reviewed(ctx: ConditionContext<'_, '_>, number: ItemId) -> Result<Reviewed, Box<ConditionResult>> {
    let need = Need::Reviews { pull: number };
    let Some(Answer::Reviews { head, author, reviews, .. }) = ctx.answer(&need, AGE) else {
        return Err(Box::new(ctx.missing(&need, "reviews", &format!("the reviews of #{number}"))));
    };
    let asked = ctx.eval.facts.answers.get(&need).map(|known| known.at);
    let pull = ctx.eval.facts.pull(number);
    // Events are newer than the answer, or agree with it.
    let mut all: BTreeMap<u64, &ReviewFact> = reviews.iter().map(|(id, review)| (*id, review)).collect();
    for (id, review) in pull.into_iter().flat_map(|pull| &pull.reviews) {
        if Some(review.at) >= asked || !all.contains_key(id) {
            all.insert(*id, &review.value);
        }
    }
    let head = match pull.and_then(|pull| pull.shape.as_ref()).filter(|shape| Some(shape.at) >= asked) {
        Some(shape) => &shape.value.head_sha,
        None => head,
    };
    // Each person's latest review counts; a comment withdraws nothing. Reviews by unidentified
    // accounts count one by one.
    let mut words: BTreeMap<(Option<AccountId>, u64), (Timestamp, u64, &ReviewFact)> = BTreeMap::new();
    for (id, review) in all {
        if review.verdict == Verdict::Commented {
            continue;
        }
        let by = (review.reviewer.id, if review.reviewer.id.is_some() { 0 } else { id });
        let newer = words.get(&by).is_none_or(|(at, known, _)| (*at, *known) <= (review.submitted_at, id));
        if newer {
            words.insert(by, (review.submitted_at, id, review));
        }
    }
    let mut found = Reviewed {
        approvals: 0,
        unentitled: Vec::new(),
        against: false,
        unclear_approvals: Vec::new(),
        unclear_against: None,
        last: None,
    };
    for (at, _, review) in words.into_values() {
        let by = &review.reviewer;
        // A deleted account wrote no review.
        let own = author.as_ref().map_or(Some(false), |author| author.same_as(by));
        if own == Some(true) {
            continue;
        }
        let approves = review.verdict == Verdict::Approved && review.commit.as_ref() == Some(head);
        let refuses = review.verdict == Verdict::ChangesRequested;
        let right = ctx.may_write(by);
        if approves && own.is_none() {
            let words = format!("it is not recorded which accounts opened and approved #{number}");
            let unclear = ConditionResult::unknown("reviews_account_unknown", words, reviews_again(number)).by_hand();
            found.unclear_approvals.push(unclear);
            continue;
        }
        match permission_unknown(number, &right, by) {
            None if right == PermissionState::Held => {
                found.last = found.last.max(Some(at));
                found.approvals += usize::from(approves);
                found.against |= refuses;
            }
            None if approves => found.unentitled.push((number, by.login.clone())),
            Some(unclear) if approves => found.unclear_approvals.push(unclear),
            Some(unclear) if refuses => found.unclear_against = found.unclear_against.or(Some(unclear)),
            _ => {}
        }
    }
    Ok(found)
}

/// Returns, for people, who approved without write access.
fn without_right(unentitled: &[(ItemId, String)]) -> String {
    const MOST: usize = 3;
    let words = |(pull, login): &(ItemId, String)| format!("; {} approved #{pull} without write access", quoted(login));
    unentitled.iter().take(MOST).map(words).collect()
}

fn list(pulls: &BTreeSet<ItemId>) -> String {
    const MOST: usize = 10;
    let shown: Vec<String> = pulls.iter().take(MOST).map(|number| format!("#{number}")).collect();
    match pulls.len().saturating_sub(MOST) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}
