//! Compares a request's commit with the one that its environment runs: older or not.

use crate::{
    context::EvalContext,
    domain::{
        fact::deploy_request::{DeployRequest, Origin, RequestKind},
        id::Sha,
        needs::Need,
        turn::{Act, Turn},
        version,
    },
    text::{
        headline::Headline,
        message::{command_line, commit, quoted},
    },
};

/// Order of a request's commit relative to the one that its environment runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Order {
    /// Nothing runs there, or the commit is not older.
    Forward,
    /// The running commit contains this one, and more.
    Older {
        /// The running commit.
        runs: Sha,
    },
    /// The running commit is, or contains, a higher version of the same package.
    Lower {
        /// Tag of the higher version.
        tag: String,
    },
    /// Not known yet; the forge is asked.
    Unknown,
}

/// Compares a request with what its environment runs. A tag's deploy is compared by ancestry and by
/// version, every other request by ancestry alone. Unknowns are asked for. A rollback goes back on
/// purpose and always is [`Order::Forward`].
pub(crate) fn order(eval: &EvalContext<'_>, request: &DeployRequest) -> Order {
    let Some(sha) = &request.sha else { return Order::Forward };
    let rule = eval.policy.environment(&request.environment);
    let allowed = request.is_automatic() && rule.is_some_and(|rule| rule.auto.allow_older);
    if request.kind == RequestKind::Rollback || allowed {
        return Order::Forward;
    }
    let Some(run) = eval.history(&request.environment).current() else { return Order::Forward };
    let Some(runs) = run.commit else { return Order::Unknown };
    if runs == sha {
        return Order::Forward;
    }
    match contains(eval, runs, sha) {
        Some(true) => return Order::Older { runs: runs.clone() },
        Some(false) => {}
        None => return Order::Unknown,
    }
    match &request.origin {
        Origin::Tag(tag) => by_version(eval, tag, runs),
        Origin::Command(_) | Origin::Merge(_) | Origin::Incident(_) | Origin::Label(_) => Order::Forward,
    }
}

/// Compares a tag's version with the running one: the highest of its package that names the running
/// commit, or else any that this commit contains.
fn by_version(eval: &EvalContext<'_>, tag: &str, runs: &Sha) -> Order {
    let Some(version) = version::parse(tag) else { return Order::Forward };
    let Some(listed) = eval.listed_tags() else { return Order::Unknown };
    let lower = |tag: &str| Order::Lower { tag: tag.to_owned() };
    let higher = |other: &semver::Version| other.cmp_precedence(&version.semver).is_gt();
    if let Some((running, tag)) = eval.version_at(runs, version.name, listed) {
        return if higher(&running) { lower(tag) } else { Order::Forward };
    }
    // Of the higher versions, the lowest are the likeliest to be contained.
    for other in eval.tags_from(&version, listed).filter(|other| higher(other.semver)) {
        match contains(eval, runs, other.sha) {
            Some(true) => return lower(other.tag),
            Some(false) => {}
            None => return Order::Unknown,
        }
    }
    Order::Forward
}

/// Returns whether `newer` contains `older`; `None` if that is unknown and has been asked.
fn contains(eval: &EvalContext<'_>, newer: &Sha, older: &Sha) -> Option<bool> {
    eval.known_to_contain(newer, older).or_else(|| {
        eval.lasting(&Need::Commits { base: Some(older.clone()), head: newer.clone() });
        None
    })
}

/// Returns the reason why a request that goes back, or may, does not start.
pub(crate) fn backward(request: &DeployRequest, order: &Order) -> Headline {
    let environment = quoted(&request.environment);
    let rollback = command_line(&["rollback", &request.environment]);
    if !request.is_automatic() {
        return match order {
            Order::Older { runs } => {
                let state = format!("{environment} runs {}, which contains this commit and more", commit(Some(runs)));
                Headline::new(state, Turn::asker(Act::from("nothing to deploy; to go back, comment ").with(rollback)))
            }
            Order::Lower { .. } | Order::Forward | Order::Unknown => Headline::new(
                format!(
                    "GitHub did not say whether this commit is older than the one that {environment} runs, so nothing \
                     was started"
                ),
                Turn::asker("repeat the command later"),
            ),
        };
    }
    let (name, reference) = match (&request.origin, &request.sha) {
        (Origin::Tag(tag), _) => (quoted(tag), tag.clone()),
        (_, Some(sha)) => (sha.code(), sha.short().to_owned()),
        (_, None) => (quoted(&request.reference), request.reference.clone()),
    };
    let deploy = command_line(&["deploy", &request.environment, &format!("ref={reference}")]);
    let (why, by_hand) = match order {
        Order::Lower { tag } => (format!("{name} is lower than {}, which {environment} runs", quoted(tag)), deploy),
        Order::Older { runs } => {
            (format!("{environment} runs {}, which contains {name} and more", commit(Some(runs))), rollback)
        }
        Order::Forward | Order::Unknown => {
            (format!("GitHub did not say whether {name} is older than the commit that {environment} runs"), deploy)
        }
    };
    let state = format!("{why}, so it is not deployed automatically");
    Headline::new(
        state,
        Turn::by_itself(format!("{environment} stays as it is; {} deploys it all the same", by_hand.code())),
    )
}
