//! GitHub and GitHub Enterprise Server.
//!
//! - Deliveries: `verify`, `route`, `decode` with `payload`.
//! - Requests: [`GitHub`] → `apply`, `answer` → `repo` → `client` (token, conditional request,
//!   redirect, error) → `transport` (one request).
//! - The App itself: `app_permissions` (permissions that it requests), `register`, `inspect`.

mod account;
mod answer;
mod api_url;
pub mod app_permissions;
mod apply;
mod auth;
mod authors;
mod cache;
mod check;
mod client;
mod comment;
mod commit_ref;
mod commits;
pub mod decode;
mod delivery;
mod deploy;
mod dispatch;
mod evidence;
mod failure;
mod file;
mod files;
mod graphql;
pub mod inspect;
mod issue;
mod item_actions;
mod jobs;
mod label;
mod marker;
mod mirror;
mod own_account;
mod path;
pub mod payload;
mod protection;
mod ref_guard;
pub mod register;
mod release;
mod release_notes;
mod repo;
mod required;
pub mod route;
pub mod ruleset;
pub mod sign_in;
mod survey;
mod survey_shape;
mod transport;
mod trigger;
mod understand;
pub mod verify;
mod workflow;

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, Method};
use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;
use serde::Deserialize;

use crate::{
    domain::{
        effect::Effect,
        event::Event,
        fact::policy::FileSeen,
        id::{Account, Actor, ConnectionId, ForgeName, ItemId, Sha},
        needs::{Answer, Need, PullHead},
        permission::Role,
    },
    forge::github::{
        auth::AppKey,
        client::{Caller, Client},
        own_account::Identity,
        repo::Repo,
        transport::{Call, Transport},
        understand::Understanding,
    },
    port::{
        clock::Clock,
        forge::{
            Applied, ApplyContext, Cost, Forge, ForgeError, Pace, Refusal, Route, SentPage, SurveyPage, Target,
            Undecodable, Verified,
        },
    },
};

/// GitHub's limits, from "Rate limits for the REST API" and "Best practices for using the REST API":
/// one write a second, 80 content-creating requests a minute and 500 an hour. The spans are a
/// second longer than published: GitHub counts by arrival, not by our sending.
const RATE_LIMITS: Pace = Pace {
    write_every: SignedDuration::from_secs(1),
    creates: &[(80, SignedDuration::from_secs(61)), (500, SignedDuration::from_secs(3601))],
};

/// Settings of a GitHub instance.
pub struct GitHubConfig {
    /// Configured name of the instance.
    pub name: ForgeName,
    /// Id of our App on the instance.
    pub app_id: u64,
    /// Private key of the App, PEM.
    pub private_key: SecretString,
    /// Webhook secrets that are valid now.
    pub webhook_secrets: Vec<SecretString>,
    /// Base address of the API: `https://api.github.com`, or `https://HOST/api/v3`.
    pub api_url: String,
    /// Whether the instance limits our writes; GitHub Enterprise Server does not by default.
    pub rate_limits: bool,
    /// Clock for token expiry and the App's signature.
    pub clock: Arc<dyn Clock>,
}

/// Reasons why the settings of a GitHub instance are unusable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SetupError {
    /// The API's address is invalid.
    #[error("api_url is not usable: {0}")]
    ApiUrl(String),
    /// The App's private key is invalid.
    #[error("the private key is not an RSA key in PEM form: {0}")]
    PrivateKey(String),
    /// The HTTP client can't be created, for example because CA certificates are missing.
    #[error("the HTTP client can't be made: {0}")]
    Client(String),
}

/// A GitHub instance.
pub struct GitHub {
    name: ForgeName,
    pace: Pace,
    identity: Identity,
    understanding: Understanding,
    client: Client,
}

impl GitHub {
    /// Creates the adapter without sending a request. Requires a Tokio runtime.
    pub fn new(config: GitHubConfig) -> Result<Self, SetupError> {
        let transport = Transport::new(config.name.clone(), &config.api_url)?;
        let key = AppKey::new(config.app_id, &config.private_key)?;
        Ok(Self {
            understanding: Understanding::new(config.name.clone(), config.app_id, &config.webhook_secrets),
            identity: Identity::new(config.app_id),
            client: Client::new(transport, key, config.clock),
            pace: if config.rate_limits { RATE_LIMITS } else { Pace::UNLIMITED },
            name: config.name,
        })
    }
}

impl GitHub {
    /// Replaces the private key and the webhook secrets at run time, without losing a delivery. An
    /// invalid key is an error and changes nothing.
    pub fn renew(&self, private_key: &SecretString, webhook_secrets: &[SecretString]) -> Result<(), SetupError> {
        let key = AppKey::new(self.identity.app_id(), private_key)?;
        self.client.renew(key);
        self.understanding.renew(webhook_secrets);
        Ok(())
    }
}

impl fmt::Debug for GitHub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GitHub").field("name", &self.name).finish_non_exhaustive()
    }
}

#[async_trait]
impl Forge for GitHub {
    fn name(&self) -> &ForgeName {
        &self.name
    }

    fn verify(&self, headers: &HeaderMap, body: &[u8]) -> Result<Verified, Refusal> {
        self.understanding.verify(headers, body)
    }

    fn route(&self, event: &str, body: &[u8]) -> Option<Route> {
        let route = route::route(body)?;
        let urgent = route::is_urgent(event, route.action.as_deref());
        Some(Route { urgent, ..route })
    }

    fn decode(&self, event: &str, body: &[u8], received_at: Timestamp) -> Result<Event, Undecodable> {
        self.understanding.decode(event, body, received_at)
    }

    async fn sent(&self, page: Option<&str>) -> Result<Option<SentPage>, ForgeError> {
        match delivery::sent(&self.client, page).await {
            // An older Enterprise Server has no such list.
            Err(ForgeError::NotFound(_)) if page.is_none() => Ok(None),
            sent => sent.map(Some),
        }
    }

    async fn sent_delivery(&self, id: u64) -> Result<Option<(Verified, Bytes)>, ForgeError> {
        delivery::one(&self.client, id).await
    }

    async fn survey(
        &self,
        installation: ConnectionId,
        full_name: &str,
        since: Option<Timestamp>,
        at: Option<&str>,
    ) -> Result<SurveyPage, ForgeError> {
        let reader = survey::Reader { client: &self.client, forge: &self.name, installation, full_name, since };
        reader.page(at).await
    }

    async fn connections(&self) -> Result<Vec<ConnectionId>, ForgeError> {
        delivery::installations(&self.client).await
    }

    async fn forget(&self, installation: ConnectionId) {
        self.client.forget(installation);
    }

    async fn identity(&self) -> Result<Actor, ForgeError> {
        self.identity.actor(&self.client).await
    }

    async fn connection_of(&self, full_name: &str) -> Result<Option<ConnectionId>, ForgeError> {
        #[derive(Deserialize)]
        struct Body {
            id: ConnectionId,
            #[serde(default)]
            suspended_at: Option<String>,
        }
        let path = self.client.transport.root.rest(&format!("{}/installation", path::repository(full_name)?));
        let call =
            Call { route: "GET /repos/{owner}/{repo}/installation", method: Method::GET, path, body: None, read: true };
        match self.client.call(&call, Caller::App).await {
            // A suspended installation can't be used.
            Ok(reply) => Ok(Some(reply.json::<Body>()?).filter(|body| body.suspended_at.is_none()).map(|body| body.id)),
            Err(failure) => match failure.error {
                ForgeError::NotFound(_) => Ok(None),
                other => Err(other),
            },
        }
    }

    async fn answer(&self, target: &Target, need: &Need) -> Result<Answer, ForgeError> {
        answer::answer(&self.client, &self.identity, target, need).await
    }

    async fn role(&self, target: &Target, account: &Account) -> Result<Role, ForgeError> {
        account::role(&self.client, target, account).await
    }

    async fn is_member(&self, target: &Target, team: &str, account: &Account) -> Result<bool, ForgeError> {
        account::is_member(&self.client, target, team, account).await
    }

    async fn head(&self, target: &Target, pull: ItemId) -> Result<PullHead, ForgeError> {
        account::head(&mut Repo::new(&self.client, target)?, pull).await
    }

    async fn issue_text(&self, target: &Target, item: ItemId) -> Result<String, ForgeError> {
        issue::text(&mut Repo::new(&self.client, target)?, item).await
    }

    async fn file(
        &self,
        target: &Target,
        of: Option<&str>,
        path: &str,
        at: Option<&Sha>,
    ) -> Result<Option<FileSeen>, ForgeError> {
        file::read(&self.client, target, of, path, at.map(Sha::to_string).as_deref()).await
    }

    async fn changes_file(
        &self,
        target: &Target,
        base: &str,
        head: &Sha,
        path: &str,
    ) -> Result<Option<bool>, ForgeError> {
        file::changes(&mut Repo::new(&self.client, target)?, base, head, path).await
    }

    fn pace(&self) -> Pace {
        self.pace
    }

    fn cost(&self, effect: &Effect, context: &ApplyContext) -> Cost {
        apply::cost(effect, context)
    }

    async fn apply(&self, target: &Target, effect: &Effect, context: &ApplyContext) -> Result<Applied, ForgeError> {
        let mut repo = Repo::new(&self.client, target)?;
        apply::apply(&mut repo, &self.identity, effect, context).await
    }
}
