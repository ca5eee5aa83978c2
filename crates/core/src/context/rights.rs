//! Which rights an account has now, by the forge's answer.
//!
//! Rights are lost without an event that we hear, and a login changes hands.
//! Every question is about an account's number, and its answer is kept for
//! minutes. An association that came with an event (`MEMBER`) says that
//! somebody belongs to an organisation, and nothing of this repository.

use crate::{
    context::EvalContext,
    domain::{
        id::Account,
        needs::{Answer, Need},
        permission::{Grant, Role},
        policy::Policy,
    },
    text::message::quoted,
};
use jiff::{SignedDuration, Timestamp};

/// How long an answer about an account's rights counts where something is opened by it.
const KEPT: SignedDuration = SignedDuration::from_mins(5);
/// How long it counts where only labels rest on it.
const KEPT_FOR_LABELS: SignedDuration = SignedDuration::from_mins(30);

/// The least role that may use `/override`, unless the policy says otherwise.
pub(crate) const OVERRIDES: Role = Role::Maintain;

/// Whether an account has a right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PermissionState {
    /// It has.
    Held,
    /// It has not.
    Denied,
    /// The forge is being asked. Grants nothing, and takes away nothing that
    /// the word of somebody who has the right would take away.
    Asked,
    /// The forge does not say, and why.
    Unavailable(String),
    /// The account's number is not known: nobody can be asked about it.
    Nameless,
}

impl PermissionState {
    /// Why a right is not known, in a sentence about the account `login`;
    /// `what`: `may write`.
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

    /// The better of two, where either will do.
    fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Held, _) | (_, Self::Held) => Self::Held,
            (Self::Denied, other) => other,
            (known, _) => known,
        }
    }
}

/// The question whether an account may write; `None`: its number is not known.
pub(crate) fn writer_need(account: &Account) -> Option<Need> {
    Some(Need::Writer { id: Some(account.id?), login: account.login.to_ascii_lowercase() })
}

/// The question for an account's role.
pub(crate) fn role_need(account: &Account) -> Option<Need> {
    Some(Need::Role { id: account.id?, login: account.login.to_ascii_lowercase() })
}

/// The question whether an account is in a team.
pub(crate) fn member_need(account: &Account, team: &str) -> Option<Need> {
    Some(Need::Member { id: account.id?, login: account.login.to_ascii_lowercase(), team: team.to_owned() })
}

impl EvalContext<'_> {
    /// Whether an account may write to the repository, by an answer that is
    /// minutes old, and given after `since`.
    pub(crate) fn may_write(&self, account: &Account, since: Option<Timestamp>) -> PermissionState {
        if self.owns(account) {
            return PermissionState::Held;
        }
        let is_writer = |answer: &Answer| *answer == Answer::Writer(true);
        self.right(writer_need(account), since, is_writer)
    }

    /// Whether an account is what a grant asks for.
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

    /// Whether an account may write, where nothing is opened by it: an answer
    /// that grew old counts until there is a new one. Unknown means no.
    pub(crate) fn writes(&self, account: &Account) -> bool {
        self.owns(account)
            || writer_need(account)
                .is_some_and(|need| matches!(self.answer(&need, Some(KEPT_FOR_LABELS)), Some(Answer::Writer(true))))
    }

    /// The owner of a personal repository may always write.
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

/// What an approval asks for where it names no team.
pub(crate) fn approvers(teams: &[String]) -> Grant {
    if teams.is_empty() { Grant::AtLeast(Role::Maintain) } else { Grant::Teams(teams.to_vec()) }
}

/// Returns whom the policy lets use `/approve`; `None`: whomever a gate asks for.
pub(crate) fn approve_grant(policy: &Policy) -> Option<&Grant> {
    policy.commands.permissions.get("approve")
}

/// Returns who may use `/override`.
pub(crate) fn override_grant(policy: &Policy) -> Grant {
    policy.commands.permissions.get("override").cloned().unwrap_or(Grant::AtLeast(OVERRIDES))
}
