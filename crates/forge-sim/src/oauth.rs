//! Sign-in of people through the App: the authorization code with PKCE, and user access tokens.
//!
//! <https://docs.github.com/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-user-access-token-for-a-github-app>

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::SignedDuration;
use rand::RngExt;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{
    SimError,
    app::Code,
    forge::{SimForge, number_of},
    state::State,
};

/// Lifetime of a code.
const CODE_LIFE: SignedDuration = SignedDuration::from_mins(10);
/// Lifetime of a user access token.
const TOKEN_LIFE: SignedDuration = SignedDuration::from_hours(8);

impl State {
    /// Agrees in the name of the account that is signed in; returns the address to which the
    /// browser is sent back, or what is wrong.
    pub(super) fn authorize(&mut self, query: &[(String, String)]) -> Result<String, &'static str> {
        let value = |name: &str| query.iter().find(|(found, _)| found == name).map_or("", |(_, value)| value.as_str());
        if self.sign_ins.client_id.is_empty() || value("client_id") != self.sign_ins.client_id {
            return Err("There is no App with this client id.");
        }
        let redirect = value("redirect_uri");
        if !self.sign_ins.callbacks.iter().any(|callback| callback == redirect) {
            return Err("The redirect_uri is not associated with this application.");
        }
        if value("code_challenge").is_empty() || value("code_challenge_method") != "S256" {
            return Err("Only S256 challenges are supported.");
        }
        let code = random(20);
        let made = Code {
            login: self.signed_in.clone(),
            challenge: value("code_challenge").to_owned(),
            redirect: redirect.to_owned(),
            at: self.auth_clock.now(),
        };
        self.sign_ins.codes.insert(code.clone(), made);
        Ok(format!("{redirect}?code={code}&state={}", super::shape::escape(value("state"))))
    }

    /// Exchanges a code, once, for a token. GitHub answers errors with status 200.
    pub(super) fn exchange(&mut self, body: &Value) -> Value {
        let value = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or("");
        let refused = |error: &str| json!({ "error": error, "error_description": error });
        let signs = &mut self.sign_ins;
        if signs.client_id.is_empty()
            || value("client_id") != signs.client_id
            || value("client_secret") != signs.client_secret
        {
            return refused("incorrect_client_credentials");
        }
        let now = self.auth_clock.now();
        let Some(code) = signs.codes.remove(value("code")).filter(|code| now < code.at + CODE_LIFE) else {
            return refused("bad_verification_code");
        };
        if value("redirect_uri") != code.redirect {
            return refused("redirect_uri_mismatch");
        }
        if URL_SAFE_NO_PAD.encode(Sha256::digest(value("code_verifier"))) != code.challenge {
            return refused("bad_verification_code");
        }
        let token = self.new_person_token(&code.login);
        json!({
            "access_token": token,
            "expires_in": TOKEN_LIFE.as_secs(),
            "refresh_token": format!("ghr_{}", random(76)),
            "refresh_token_expires_in": 15_897_600,
            "scope": "",
            "token_type": "bearer",
        })
    }

    fn new_person_token(&mut self, login: &str) -> String {
        let token = format!("ghu_{}", random(36));
        let ends = self.auth_clock.now() + TOKEN_LIFE;
        self.sign_ins.tokens.insert(token.clone(), (login.to_owned(), ends));
        token
    }

    /// Returns the login of the person whose token it is, if it is valid.
    pub(super) fn person_of(&self, token: &str) -> Option<&str> {
        let (login, ends) = self.sign_ins.tokens.get(token)?;
        (self.auth_clock.now() < *ends).then_some(login.as_str())
    }

    /// Revokes every token of a person.
    pub(super) fn revoke(&mut self, login: &str) {
        self.sign_ins.tokens.retain(|_, (of, _)| !of.eq_ignore_ascii_case(login));
        self.emit_revocation(login);
    }

    /// Returns whether a person may read a repository.
    pub(super) fn may_read(&self, login: &str, repo: u64) -> bool {
        self.has_access(login, repo) || self.repos.get(&repo).is_some_and(|repo| !repo.private)
    }

    /// Returns whether a person was given access to a repository: to a public one, everyone has it
    /// without.
    pub(super) fn has_access(&self, login: &str, repo: u64) -> bool {
        self.repos.get(&repo).and_then(|repo| repo.role(login)).is_some_and(|role| role != "none")
    }
}

impl SimForge {
    /// Registers what an App needs to sign people in.
    pub fn register_sign_in(&self, client_id: &str, client_secret: &str, callback: &str) {
        let mut state = self.shared().state();
        state.sign_ins.register(client_id.to_owned(), client_secret.to_owned(), vec![callback.to_owned()]);
    }

    /// Signs an account in to the web pages, in place of the one before.
    pub fn sign_in_as(&self, login: &str) {
        let mut state = self.shared().state();
        state.user(login, "User");
        login.clone_into(&mut state.signed_in);
    }

    /// Returns a user access token of an account.
    pub fn new_person_token(&self, login: &str) -> String {
        let mut state = self.shared().state();
        state.user(login, "User");
        state.new_person_token(login)
    }

    /// Revokes every user access token of an account.
    pub fn revoke_sign_ins(&self, login: &str) {
        self.shared().state().revoke(login);
    }

    /// Makes a repository private, or public.
    pub fn set_private(&self, full_name: &str, private: bool) -> Result<(), SimError> {
        let mut state = self.shared().state();
        let repo = number_of(&state, full_name)?;
        state.repo_mut(repo)?.private = private;
        Ok(())
    }
}

fn random(length: usize) -> String {
    rand::rng().sample_iter(rand::distr::Alphanumeric).take(length).map(char::from).collect()
}
