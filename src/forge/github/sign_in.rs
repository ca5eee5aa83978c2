//! Sign-in with GitHub: the user access tokens of the App.
//!
//! <https://docs.github.com/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-user-access-token-for-a-github-app>

use std::{collections::BTreeSet, time::Duration};

use async_trait::async_trait;
use http::{HeaderValue, StatusCode, header};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::json;

use crate::{
    forge::github::SetupError,
    port::sign_in::{Person, PersonToken, SignIn, SignInError},
};

/// Time-out of one call. A person waits for it.
const TIMEOUT: Duration = Duration::from_secs(8);
/// Elements of a page of a list, the most that GitHub gives.
const PER_PAGE: usize = 100;
/// Most pages of one list that are read.
const MOST_PAGES: usize = 50;

/// The App, as people sign in with it.
pub struct GitHubSignIn {
    http: reqwest::Client,
    client_id: String,
    client_secret: SecretString,
    /// Root of the API, without a slash at its end.
    api_url: String,
    /// Root of the web pages, without a slash at its end.
    web_url: String,
}

impl GitHubSignIn {
    /// Creates the client without sending a request.
    ///
    /// # Errors
    /// The HTTP client can't be made.
    pub fn new(
        client_id: String,
        client_secret: SecretString,
        api_url: String,
        web_url: String,
    ) -> Result<Self, SetupError> {
        let http = reqwest::Client::builder()
            .user_agent(concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION")))
            // A redirection would carry the token elsewhere, or be a former name.
            .redirect(reqwest::redirect::Policy::none())
            .timeout(TIMEOUT)
            .build()
            .map_err(|error| SetupError::Client(error.to_string()))?;
        Ok(Self { http, client_id, client_secret, api_url, web_url })
    }

    /// Asks the API with a person's token; `None`: not found, or not theirs to see.
    async fn get<T: DeserializeOwned>(&self, token: &SecretString, path: &str) -> Result<Option<T>, SignInError> {
        let request = self
            .http
            .get(format!("{}{path}", self.api_url))
            .header(header::ACCEPT, "application/vnd.github+json")
            .header("x-github-api-version", "2022-11-28")
            .header(header::AUTHORIZATION, bearer(token)?);
        let answer = request.send().await.map_err(|error| unavailable(&error))?;
        match answer.status() {
            StatusCode::OK => answer.json().await.map(Some).map_err(|error| unavailable(&error)),
            StatusCode::NOT_FOUND | StatusCode::MOVED_PERMANENTLY | StatusCode::TEMPORARY_REDIRECT => Ok(None),
            StatusCode::UNAUTHORIZED => Err(SignInError::Rejected("the token is not valid any more".to_owned())),
            // 403 is also the answer to too many requests, so it is no answer about the repository.
            status => Err(SignInError::Unavailable(format!("HTTP {status}"))),
        }
    }

    /// Reads a list to its end, page by page.
    async fn list<T: DeserializeOwned>(
        &self,
        token: &SecretString,
        path: &str,
        take: fn(T) -> Vec<u64>,
    ) -> Result<Vec<u64>, SignInError> {
        let mut all = Vec::new();
        for page in 1..=MOST_PAGES {
            let found = self.get(token, &format!("{path}?per_page={PER_PAGE}&page={page}")).await?;
            let Some(found) = found.map(take) else { break };
            let is_last = found.len() < PER_PAGE;
            all.extend(found);
            if is_last {
                break;
            }
        }
        Ok(all)
    }
}

#[derive(Deserialize)]
struct Numbered {
    id: u64,
}

#[derive(Deserialize)]
struct Account {
    id: u64,
    login: String,
}

#[derive(Deserialize)]
struct Installations {
    installations: Vec<Numbered>,
}

#[derive(Deserialize)]
struct Repositories {
    repositories: Vec<Numbered>,
}

/// Answer to a code: a token, or an error with status 200.
#[derive(Deserialize)]
struct Exchanged {
    access_token: Option<SecretString>,
    expires_in: Option<u64>,
    error: Option<String>,
}

fn unavailable(error: &reqwest::Error) -> SignInError {
    // Without the address, which a proxy's log may have, too.
    SignInError::Unavailable(if error.is_timeout() {
        "it took too long".to_owned()
    } else {
        "no connection".to_owned()
    })
}

fn bearer(token: &SecretString) -> Result<HeaderValue, SignInError> {
    let text = format!("Bearer {}", token.expose_secret());
    let mut value =
        HeaderValue::try_from(text).map_err(|_| SignInError::Rejected("the token is not a token".to_owned()))?;
    value.set_sensitive(true);
    Ok(value)
}

/// Returns whether a name can be a repository's: it becomes part of a path.
fn is_full_name(name: &str) -> bool {
    let is_part = |part: &str| {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
        (1..=100).contains(&part.len()) && part.bytes().all(plain) && !matches!(part, "." | "..")
    };
    name.split_once('/').is_some_and(|(owner, name)| is_part(owner) && is_part(name))
}

#[async_trait]
impl SignIn for GitHubSignIn {
    fn authorize_url(&self, redirect: &str, state: &str, challenge: &str) -> String {
        let escaped = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        format!(
            "{}/login/oauth/authorize?client_id={}&redirect_uri={}&state={}&code_challenge={}&code_challenge_method=S256",
            self.web_url,
            escaped(&self.client_id),
            escaped(redirect),
            escaped(state),
            escaped(challenge),
        )
    }

    async fn exchange(&self, code: &str, verifier: &str, redirect: &str) -> Result<PersonToken, SignInError> {
        let body = json!({
            "client_id": self.client_id,
            "client_secret": self.client_secret.expose_secret(),
            "code": code,
            "redirect_uri": redirect,
            "code_verifier": verifier,
        });
        let request = self.http.post(format!("{}/login/oauth/access_token", self.web_url));
        let request = request.header(header::ACCEPT, "application/json").json(&body);
        let answer = request.send().await.map_err(|error| unavailable(&error))?;
        if !answer.status().is_success() {
            return Err(SignInError::Unavailable(format!("HTTP {}", answer.status())));
        }
        let found: Exchanged = answer.json().await.map_err(|error| unavailable(&error))?;
        match (found.access_token, found.error) {
            (Some(token), None) => Ok(PersonToken { token, valid_for: found.expires_in.map(Duration::from_secs) }),
            (_, Some(error)) => Err(SignInError::Rejected(error)),
            (None, None) => Err(SignInError::Unavailable("the answer holds no token".to_owned())),
        }
    }

    async fn person(&self, token: &SecretString) -> Result<Person, SignInError> {
        let found: Option<Account> = self.get(token, "/user").await?;
        let found = found.ok_or_else(|| SignInError::Unavailable("the token has no account".to_owned()))?;
        Ok(Person { id: found.id, login: found.login })
    }

    async fn repository(&self, token: &SecretString, full_name: &str) -> Result<Option<u64>, SignInError> {
        if !is_full_name(full_name) {
            return Ok(None);
        }
        let found: Option<Numbered> = self.get(token, &format!("/repos/{full_name}")).await?;
        Ok(found.map(|repository| repository.id))
    }

    async fn repositories(&self, token: &SecretString) -> Result<BTreeSet<u64>, SignInError> {
        let installations = self
            .list(token, "/user/installations", |page: Installations| {
                page.installations.into_iter().map(|one| one.id).collect()
            })
            .await?;
        let mut all = BTreeSet::new();
        for installation in installations {
            let path = format!("/user/installations/{installation}/repositories");
            let take = |page: Repositories| page.repositories.into_iter().map(|one| one.id).collect();
            all.extend(self.list(token, &path, take).await?);
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_repositories_become_paths() {
        for name in ["acme/shop", "a/b.github.io", "A_-/.github"] {
            assert!(is_full_name(name), "{name}");
        }
        for name in
            ["acme", "acme/", "/shop", "acme/..", "../user", "acme/shop/hooks", "acme/a%2Fb", "acme/a?b", "a b/c"]
        {
            assert!(!is_full_name(name), "{name}");
        }
    }
}
