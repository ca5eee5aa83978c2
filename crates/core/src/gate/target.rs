//! Deployable commits: one rule for every way in which a commit reaches an environment.

use crate::{
    commits::branches::OnLine,
    context::{
        EvalContext,
        rights::{PermissionState, WRITERS},
    },
    domain::{
        effect::RefGuard,
        event::Verdict,
        fact::{
            RepoFacts,
            deploy_request::{DeployRequest, RequestKind},
            item::ReviewFact,
        },
        id::{Account, AccountId, ItemId, Sha},
        needs::{Answer, ResolvedRef, ResolvedRefKind},
        policy::{FILE, Policy},
        rule::EnvironmentRule,
        turn::Turn,
    },
    gate::Need,
    text::{
        headline::Headline,
        message::{forge_words, quoted},
    },
};
use std::collections::BTreeMap;

use jiff::Timestamp;

/// Reason why a commit may not go to an environment.
#[derive(Debug, Clone)]
pub(crate) enum Refusal {
    /// It may not.
    No(Headline),
    /// It is not known yet whether it may, so it may not yet.
    Pending(Headline),
}

impl Refusal {
    /// Returns the reason, for people.
    pub(crate) fn why(self) -> Headline {
        match self {
            Self::No(why) | Self::Pending(why) => why,
        }
    }
}

/// Basis on which a commit is requested: its name and history.
#[derive(Clone, Copy)]
pub(crate) struct Basis<'a> {
    /// Ref that the request named.
    pub(crate) watched: &'a RefGuard,
    /// Ref that the forge resolved the name to.
    pub(crate) named: Option<&'a ResolvedRef>,
    /// It is a rollback: the commit ran there before.
    pub(crate) goes_back: bool,
}

impl<'a> Basis<'a> {
    /// A bare commit that nobody named.
    pub(crate) const BARE: Self = Self { watched: &RefGuard::Commit, named: None, goes_back: false };

    /// Returns the basis of a request.
    pub(crate) fn of(facts: &'a RepoFacts, id: &str, request: &'a DeployRequest) -> Self {
        // Once the name is resolved, the request holds the commit.
        let asked = [name_need(facts, id, request), need_of(facts, id, &request.reference)];
        let named = asked.iter().find_map(|need| {
            let Answer::Named(Some(named)) = &facts.answers.get(need)?.answer else { return None };
            (request.sha.as_ref() == Some(&named.sha)).then_some(named)
        });
        Self { watched: &request.watched, named, goes_back: request.kind == RequestKind::Rollback }
    }
}

/// Checks whether a commit may go to an environment. Everything that deploys, promotes, rolls back
/// or releases a waiting job calls this, and calls it again before anything is sent.
///
/// An environment accepts commits on a branch that the policy lists; also commits that once were on
/// one, if a tag names them or they ran there before. With `unmerged: true` it accepts every commit
/// of this repository, and a fork's once someone who may write has approved that very commit. An
/// unknown is pending.
pub(crate) fn permitted(eval: &EvalContext<'_>, environment: &str, sha: &Sha, basis: Basis<'_>) -> Result<(), Refusal> {
    // A gate that the policy does not describe passes nothing anyway.
    let Some(rule) = eval.policy.environment(environment) else { return Ok(()) };
    if rule.unmerged {
        return permitted_unmerged(eval, environment, sha, basis);
    }
    let on_line = line_of(eval, sha, basis);
    if matches!(on_line, OnLine::Yes { .. }) {
        return Ok(());
    }
    let short = sha.code();
    if (basis.goes_back || matches!(basis.watched, RefGuard::Tag(_))) && eval.was_on_line(sha) {
        return Ok(());
    }
    if let OnLine::Unknown(why) = on_line {
        let what = format!("whether {short} is on a branch that counts");
        return Err(Refusal::Pending(match why {
            Some(why) => Headline::new(format!("GitHub did not say {what}: {}", forge_words(&why)), again()),
            None => Headline::new(format!("GitHub is being asked {what}"), Turn::asking()),
        }));
    }
    let what = match basis.watched {
        RefGuard::Branch(branch) => format!("The branch {}", quoted(branch)),
        RefGuard::Tag(tag) => format!("What {} names, {short},", quoted(tag)),
        RefGuard::Pull(pull) => format!("#{pull}"),
        RefGuard::Commit => short,
    };
    Err(Refusal::No(not_merged(environment, &what)))
}

/// Checks whether a commit may go to an environment with `unmerged: true`.
fn permitted_unmerged(eval: &EvalContext<'_>, environment: &str, sha: &Sha, basis: Basis<'_>) -> Result<(), Refusal> {
    let access = |account: &Account| eval.may_write(account, None);
    if let RefGuard::Pull(pull) = basis.watched {
        return unmerged_pull(eval.facts, eval.policy, environment, *pull, sha, &access);
    }
    if basis.named.is_some_and(|named| matches!(named.kind, ResolvedRefKind::Branch | ResolvedRefKind::Tag)) {
        return Ok(());
    }
    let short = sha.code();
    let own = eval.is_own(sha);
    if own == Some(true) || (own == Some(false) && matches!(eval.on_line(sha), OnLine::Yes { .. })) {
        return Ok(());
    }
    let mut refusal: Option<Refusal> = None;
    for pull in eval.facts.pulls_with_head(sha) {
        match unmerged_pull(eval.facts, eval.policy, environment, pull, sha, &access) {
            Ok(()) => return Ok(()),
            Err(pending @ Refusal::Pending(_)) => refusal = Some(pending),
            Err(no) => drop(refusal.get_or_insert(no)),
        }
    }
    Err(match (refusal, own) {
        (Some(pending @ Refusal::Pending(_)), _) => pending,
        (_, None) => Refusal::Pending(own_asked(&short)),
        (Some(no), _) => no,
        (None, _) => Refusal::No(elsewhere(sha)),
    })
}

/// Returns whether the commit is on a listed branch: by the forge's answer about its name, as the
/// push event may not have arrived yet, otherwise by the recorded pushes.
fn line_of(eval: &EvalContext<'_>, sha: &Sha, basis: Basis<'_>) -> OnLine {
    let branch = match (basis.named.map(|named| named.kind), basis.watched) {
        (Some(ResolvedRefKind::Branch), RefGuard::Branch(branch)) => Some(branch.as_str()),
        (Some(ResolvedRefKind::Landed), _) => Some(eval.facts.default_branch()),
        _ => None,
    };
    match branch.filter(|branch| eval.listed(branch)) {
        Some(branch) => OnLine::Yes { branch: branch.to_owned(), since: None },
        None => eval.on_line(sha),
    }
}

/// Returns the ref that must not have moved when a request is sent: the one it was named by, and
/// for a bare commit the branch on which it landed.
pub(crate) fn watched_when_sent(eval: &EvalContext<'_>, sha: &Sha, basis: Basis<'_>) -> RefGuard {
    if *basis.watched != RefGuard::Commit || basis.goes_back {
        return basis.watched.clone();
    }
    match line_of(eval, sha, basis) {
        // The default branch may have been renamed since.
        OnLine::Yes { branch, .. } if eval.facts.is_main_line(&branch) => {
            RefGuard::Branch(eval.facts.default_branch().to_owned())
        }
        OnLine::Yes { branch, .. } => RefGuard::Branch(branch),
        OnLine::No | OnLine::Unknown(_) => RefGuard::Commit,
    }
}

/// Returns a ref name without `refs/heads/` or `refs/tags/`.
pub(crate) fn short_name(name: &str) -> &str {
    name.strip_prefix("refs/heads/").or_else(|| name.strip_prefix("refs/tags/")).unwrap_or(name)
}

/// Checks whether the commit that a name resolves to may be deployed, and returns the ref that must
/// not move until then.
pub(crate) fn may(eval: &EvalContext<'_>, request: &DeployRequest, named: &ResolvedRef) -> Result<RefGuard, Refusal> {
    let (environment, name, sha) = (&request.environment, short_name(&request.reference), &named.sha);
    let watched = match named.kind {
        // The command was given on the pull request whose head this commit is.
        ResolvedRefKind::Loose | ResolvedRefKind::Landed if matches!(request.watched, RefGuard::Pull(_)) => {
            request.watched.clone()
        }
        ResolvedRefKind::Tag => RefGuard::Tag(name.to_owned()),
        ResolvedRefKind::Branch => RefGuard::Branch(name.to_owned()),
        // Forges resolve a fork's commits under every repository of its network.
        ResolvedRefKind::Loose if !matches!(eval.on_line(sha), OnLine::Yes { .. }) => match eval.is_own(sha) {
            Some(true) => eval.facts.own_pull_with_head(sha).map_or(RefGuard::Commit, RefGuard::Pull),
            Some(false) => return Err(Refusal::No(elsewhere(sha))),
            None => {
                return Err(Refusal::Pending(own_asked(&sha.code())));
            }
        },
        ResolvedRefKind::Landed | ResolvedRefKind::Loose => RefGuard::Commit,
    };
    permitted(eval, environment, sha, Basis { watched: &watched, named: Some(named), goes_back: false })?;
    Ok(watched)
}

/// Checks whether the head of an open pull request may be deployed: only where the environment has
/// `unmerged: true`, and a fork's only if someone who may write has approved this very commit.
pub(crate) fn unmerged_pull(
    facts: &RepoFacts,
    policy: &Policy,
    environment: &str,
    pull: ItemId,
    sha: &Sha,
    access: &dyn Fn(&Account) -> PermissionState,
) -> Result<(), Refusal> {
    let rule: Option<&EnvironmentRule> = policy.environment(environment);
    if !rule.is_some_and(|rule| rule.unmerged) {
        return Err(Refusal::No(not_merged(environment, &format!("#{pull}"))));
    }
    if let Some(other) = policy.instance(environment).map(|instance| instance.pull).filter(|other| *other != pull) {
        let turn = Turn::asker(format!("write the command on #{other}"));
        return Err(Refusal::No(Headline::new(format!("{} is made for #{other}", quoted(environment)), turn)));
    }
    let Some(found) = facts.pull(pull) else {
        let turn = Turn::people(WRITERS, format!("edit #{pull}, so that an event reports it"));
        return Err(Refusal::No(Headline::new(format!("nothing is recorded of #{pull}"), turn)));
    };
    // A pull request of unknown origin is treated as a fork's.
    if found.shape.as_ref().is_some_and(|shape| !shape.value.from_fork) {
        return Ok(());
    }
    // Each person's latest review counts; a comment withdraws nothing.
    let mut last: BTreeMap<AccountId, (Timestamp, u64, &ReviewFact)> = BTreeMap::new();
    for (id, review) in &found.reviews {
        let word = (review.value.submitted_at, *id, &review.value);
        let newer = |known: &(Timestamp, u64, &ReviewFact)| (known.0, known.1) <= (word.0, word.1);
        // A reviewer without a recorded account id can't be looked up.
        let Some(by) = word.2.reviewer.id else { continue };
        if word.2.verdict != Verdict::Commented && last.get(&by).is_none_or(newer) {
            last.insert(by, word);
        }
    }
    let approvals = last
        .values()
        .map(|(_, _, review)| *review)
        .filter(|review| review.commit.as_ref() == Some(sha) && review.verdict == Verdict::Approved);
    let mut unclear = None;
    for review in approvals {
        match access(&review.reviewer) {
            PermissionState::Held => return Ok(()),
            PermissionState::Denied => {}
            PermissionState::Asked | PermissionState::Unavailable(_) | PermissionState::Nameless => {
                unclear = unclear.or(Some(&review.reviewer.login));
            }
        }
    }
    let is_unclear = unclear.is_some();
    let unclear = unclear.map_or_else(String::new, |login| {
        format!(
            ". {} approved it, and GitHub does not say whether they may write: grant what `phasebot doctor` names",
            quoted(login)
        )
    });
    let why = Headline::new(
        format!("#{pull} comes from a fork, and commit {} is not approved{unclear}", sha.code()),
        Turn::people(WRITERS, format!("approve commit {} of #{pull} in a review", sha.code())),
    );
    Err(if is_unclear { Refusal::Pending(why) } else { Refusal::No(why) })
}

fn elsewhere(sha: &Sha) -> Headline {
    Headline::new(
        format!("{} is on no known branch of this repository", sha.code()),
        Turn::asker("name a branch or a tag, or deploy a fork's commit on its pull request"),
    )
}

fn not_merged(environment: &str, what: &str) -> Headline {
    Headline::new(
        format!("{what} is not merged, and {} accepts only merged changes", quoted(environment)),
        Turn::people(WRITERS, "merge it; then repeat the command"),
    )
    .with(format!("Or let the environment accept it: `unmerged: true` for {} in `{FILE}`.", quoted(environment)))
}

fn again() -> Turn {
    Turn::by_itself("phasebot asks again")
}

fn own_asked(short: &str) -> Headline {
    Headline::new(format!("GitHub is being asked whether {short} is a commit of this repository"), Turn::asking())
}

/// Returns the need that resolves a request's name. A branch is asked for by its full name, as a
/// tag may have the same name.
pub(crate) fn name_need(facts: &RepoFacts, id: &str, request: &DeployRequest) -> Need {
    match &request.watched {
        RefGuard::Branch(branch) => need_of(facts, id, &format!("refs/heads/{branch}")),
        RefGuard::Commit | RefGuard::Tag(_) | RefGuard::Pull(_) => need_of(facts, id, &request.reference),
    }
}

/// Returns the need that resolves a name, for a request.
pub(crate) fn need_of(facts: &RepoFacts, id: &str, name: &str) -> Need {
    let (name, default_branch) = (name.to_owned(), facts.default_branch().to_owned());
    Need::Named { name, default_branch, purpose: id.to_owned() }
}
