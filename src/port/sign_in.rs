//! Sign-in of people with their account on a forge, and what the forge lets them read.

use std::{collections::BTreeSet, time::Duration};

use async_trait::async_trait;
use secrecy::SecretString;

/// Signs people in with their account on a forge.
///
/// Every answer is the forge's own, at that moment; whoever asks may remember it for a time.
#[async_trait]
pub trait SignIn: Send + Sync + 'static {
    /// Returns the address of the forge's page on which a person agrees to sign in. The forge sends
    /// the browser to `redirect` with a code and `state`. `challenge` is the S256 challenge of the
    /// verifier (RFC 7636).
    fn authorize_url(&self, redirect: &str, state: &str, challenge: &str) -> String;

    /// Exchanges a code, once, for a token with the person's rights.
    async fn exchange(&self, code: &str, verifier: &str, redirect: &str) -> Result<PersonToken, SignInError>;

    /// Returns the person whose token it is.
    async fn person(&self, token: &SecretString) -> Result<Person, SignInError>;

    /// Returns the id of the repository that has this name now, if both the person and we may read
    /// it. `None` for a name that is not one.
    async fn repository(&self, token: &SecretString, full_name: &str) -> Result<Option<u64>, SignInError>;

    /// Returns the ids of the repositories to which both the person and we have access.
    async fn repositories(&self, token: &SecretString) -> Result<BTreeSet<u64>, SignInError>;
}

/// A token with a person's rights.
#[derive(Debug, Clone)]
pub struct PersonToken {
    /// The token.
    pub token: SecretString,
    /// Time for which it is valid; `None`: until it is revoked.
    pub valid_for: Option<Duration>,
}

/// A person with an account on a forge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The forge's number of the account, which stays when it is renamed.
    pub id: u64,
    /// Login.
    pub login: String,
}

/// Reason for which the forge gave no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignInError {
    /// It does not accept the code or the token.
    #[error("the forge does not accept it: {0}")]
    Rejected(String),
    /// It can't be reached, or answers nothing that makes sense.
    #[error("the forge gave no answer: {0}")]
    Unavailable(String),
}
