//! Permissions that an account has now, by the forge's answer.
//!
//! A permission can be withdrawn without an event that phasebot receives, and a login can pass to
//! another account. Every question is therefore about an account's id, and its answer is kept for
//! minutes. An event's author association (`MEMBER`) shows membership of an organization, and
//! nothing about this repository.

use crate::{
    context::EvalContext,
    domain::{
        id::Account,
        needs::{Answer, Need},
        permission::{Grant, Role},
        policy::Policy,
    },
    text::message::{anyone, quoted},
};
use jiff::{SignedDuration, Timestamp};

/// Time for which an answer about an account's permissions counts where it opens something.
const KEPT: SignedDuration = SignedDuration::from_mins(5);
/// Time for which it counts where it affects labels only.
const KEPT_FOR_LABELS: SignedDuration = SignedDuration::from_mins(30);

/// People who can push: who mends a check, a tag or the policy.
pub(crate) const WRITERS: &str = "someone with write access";
/// Least role that may use `/override`, unless the policy says otherwise.
pub(crate) const OVERRIDES: Role = Role::Maintain;

/// Least role that may use the commands that deploy and unlock, unless the policy says otherwise.
pub(crate) const DEPLOYS: Role = Role::Write;
/// Least role that may freeze and unfreeze, and publish, unless the policy says otherwise.
pub(crate) const FREEZES: Role = Role::Maintain;
/// Least role that may lift a hold or act on an incident, unless the policy says otherwise.
pub(crate) const TRIAGES: Role = Role::Triage;

/// Returns who may use a command; `least` is its least role, unless the policy says otherwise.
pub(crate) fn who_may(policy: &Policy, command: &str, least: Role) -> String {
    let grant = policy.commands.permissions.get(command).cloned();
    anyone(&grant.unwrap_or(Grant::AtLeast(least)))
}

/// State of an account's permission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PermissionState {
    /// The account has it.
    Held,
    /// The account does not have it.
    Denied,
    /// The forge is being asked. Until then it grants nothing, and it revokes nothing that only
    /// someone with the permission could revoke.
    Asked,
    /// The forge does not answer, with the reason.
    Unavailable(String),
    /// The account's id is unknown, so the forge can't be asked.
    Nameless,
}

impl PermissionState {
    /// Returns why a permission of the account `login` is unknown, as a sentence; `what` names it,
    /// such as `may write`. `None` if it is known.
    pub(crate) fn unknown(&self, login: &str, what: &str) -> Option<String> {
        let login = quoted(login);
        match self {
            Self::Held | Self::Denied => None,
            Self::Asked => Some(format!("GitHub is being asked whether {login} {what}")),
            Self::Unavailable(why) => Some(format!(
                "GitHub does not say whether {login} {what}: grant what `phasebot doctor` names ({})",
                quoted(why)
            )),
            Self::Nameless => {
                Some(format!("it is not recorded which account {login} was: whether it {what} can't be found out"))
            }
        }
    }

    /// Returns the better of two permissions where either suffices.
    fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Held, _) | (_, Self::Held) => Self::Held,
            (Self::Denied, other) => other,
            (known, _) => known,
        }
    }
}

/// Returns the need for an account's write access; `None`: its id is unknown.
pub(crate) fn writer_need(account: &Account) -> Option<Need> {
    Some(Need::Writer { id: Some(account.id?), login: account.login.to_ascii_lowercase() })
}

/// Returns the need for an account's role; `None`: its id is unknown.
pub(crate) fn role_need(account: &Account) -> Option<Need> {
    Some(Need::Role { id: account.id?, login: account.login.to_ascii_lowercase() })
}

/// Returns the need for an account's membership of a team; `None`: its id is unknown.
pub(crate) fn member_need(account: &Account, team: &str) -> Option<Need> {
    Some(Need::Member { id: account.id?, login: account.login.to_ascii_lowercase(), team: team.to_owned() })
}

impl EvalContext<'_> {
    /// Returns whether an account may write to the repository, by an answer no older than [`KEPT`]
    /// and given at or after `since`.
    pub(crate) fn may_write(&self, account: &Account, since: Option<Timestamp>) -> PermissionState {
        if self.owns(account) {
            return PermissionState::Held;
        }
        let is_writer = |answer: &Answer| *answer == Answer::Writer(true);
        self.right(writer_need(account), since, is_writer)
    }

    /// Returns whether an account meets a grant.
    pub(crate) fn is_granted(&self, account: &Account, grant: &Grant, since: Option<Timestamp>) -> PermissionState {
        match grant {
            Grant::AtLeast(least) => {
                let enough = |answer: &Answer| matches!(answer, Answer::Role(role) if role >= least);
                self.right(role_need(account), since, enough)
            }
            Grant::Teams(teams) => {
                let member = |answer: &Answer| *answer == Answer::Member(true);
                let rights = teams.iter().map(|team| self.right(member_need(account, team), since, member));
                rights.fold(PermissionState::Denied, PermissionState::or)
            }
        }
    }

    /// Returns whether an account may write, where it opens nothing: an old answer counts until a
    /// newer one arrives. Unknown means no.
    pub(crate) fn writes(&self, account: &Account) -> bool {
        self.owns(account)
            || writer_need(account)
                .is_some_and(|need| matches!(self.answer(&need, Some(KEPT_FOR_LABELS)), Some(Answer::Writer(true))))
    }

    /// Returns whether the account owns the personal repository: its owner may always write.
    fn owns(&self, account: &Account) -> bool {
        self.facts.about.owner.as_ref().is_some_and(|owner| owner.value.same_as(account) == Some(true))
    }

    fn right(&self, need: Option<Need>, since: Option<Timestamp>, held: impl Fn(&Answer) -> bool) -> PermissionState {
        let Some(need) = need else { return PermissionState::Nameless };
        let kept = self.now.checked_sub(KEPT).unwrap_or(Timestamp::MIN);
        match self.answered_since(&need, since.map_or(kept, |since| since.max(kept))) {
            Some(answer) if held(answer) => PermissionState::Held,
            Some(_) => PermissionState::Denied,
            None => match self.facts.answers.get(&need).map(|known| &known.answer) {
                Some(Answer::Unavailable { why }) => PermissionState::Unavailable(why.clone()),
                _ => PermissionState::Asked,
            },
        }
    }
}

/// Returns the grant that an approval requires: the teams, or `maintain` if none are named.
pub(crate) fn approvers(teams: &[String]) -> Grant {
    if teams.is_empty() { Grant::AtLeast(Role::Maintain) } else { Grant::Teams(teams.to_vec()) }
}

/// Returns the grant that the policy requires for `/approve`; `None`: only the gate's requirement
/// applies.
pub(crate) fn approve_grant(policy: &Policy) -> Option<&Grant> {
    policy.commands.permissions.get("approve")
}

/// Returns the grant required for `/override`.
pub(crate) fn override_grant(policy: &Policy) -> Grant {
    policy.commands.permissions.get("override").cloned().unwrap_or(Grant::AtLeast(OVERRIDES))
}
