//! PlanetScale: its webhooks, and its API for deploy requests.
//!
//! A deploy request brings the schema of one database branch into another; the core calls it a
//! schema change. The API is described in PlanetScale's OpenAPI file; the tests check every request
//! and every simulated answer against it.

mod act;
mod client;
mod inspect;
mod payload;
mod statement;
mod webhook;

use std::collections::BTreeMap;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::Deserialize;

pub use crate::database::planetscale::client::Config;
pub use crate::database::planetscale::webhook::PlanetScaleWebhook;
use crate::{
    database::planetscale::{client::Client, payload::DeployRequest},
    domain::{
        effect::Effect,
        needs::{Answer, Need},
        schema::SchemaChange,
    },
    port::{
        database::{Database, Inspection},
        forge::{Applied, ApplyContext, ForgeError},
    },
};

/// Deploy requests on a page.
const PAGE: u32 = 50;
/// Most pages of open deploy requests that are read.
const MOST_PAGES: u32 = 5;

/// A PlanetScale database.
pub struct PlanetScale {
    connection: String,
    client: Client,
}

/// A page of a list.
#[derive(Debug, Deserialize)]
struct Page<T> {
    data: Vec<T>,
    next_page: Option<u32>,
}

/// What is read of a database.
#[derive(Debug, Deserialize)]
struct DatabaseBody {
    name: String,
    kind: String,
    require_approval_for_deploy: bool,
}

impl PlanetScale {
    /// Creates the connection `[alerts.connection]` without sending a request. Requires a Tokio
    /// runtime. `Err`: what is wrong with its settings.
    pub fn new(connection: &str, config: Config) -> Result<Self, String> {
        Ok(Self { connection: connection.to_owned(), client: Client::new(connection, config)? })
    }

    /// Replaces the service token.
    pub fn renew(&self, id: &str, token: &secrecy::SecretString) {
        self.client.renew(id, token);
    }

    async fn described(&self) -> Result<DatabaseBody, ForgeError> {
        self.client.get("GET /databases/{database}", "").await
    }

    /// Reads one page of the deploy requests into a branch.
    async fn page(&self, into: &str, page: u32, open: bool) -> Result<Page<DeployRequest>, ForgeError> {
        let into = client::segment(into);
        let state = if open { "&state=open" } else { "" };
        let query = format!("/deploy-requests?into_branch={into}&page={page}&per_page={PAGE}{state}");
        self.client.get("GET /deploy-requests", &query).await
    }

    /// Lists every open schema change into a branch, and the newest of the others.
    async fn list(&self, into: &str) -> Result<Answer, ForgeError> {
        let newest = self.page(into, 1, false).await?;
        let mut found = newest.data;
        if newest.next_page.is_some() {
            let mut next = Some(1);
            for _ in 0..MOST_PAGES {
                let Some(number) = next else { break };
                let page = self.page(into, number, true).await?;
                next = page.next_page;
                found.extend(page.data);
            }
            if next.is_some() {
                let most = PAGE * MOST_PAGES;
                return Err(ForgeError::Permanent(format!("there are more than {most} open deploy requests")));
            }
        }
        let needs_approval = self.described().await?.require_approval_for_deploy;
        let changes: BTreeMap<u64, SchemaChange> =
            found.into_iter().map(|request| (request.number(), self.change(request))).collect();
        let numbers = changes.keys().copied().collect();
        Ok(Answer::SchemaChanges { changes: changes.into_values().collect(), numbers, needs_approval })
    }

    async fn one(&self, number: u64) -> Result<SchemaChange, ForgeError> {
        let path = format!("/deploy-requests/{number}");
        let request: DeployRequest = self.client.get("GET /deploy-requests/{number}", &path).await?;
        if request.number() != number {
            return Err(ForgeError::Permanent(format!(
                "PlanetScale answered with deploy request {}",
                request.number()
            )));
        }
        Ok(self.change(request))
    }

    fn change(&self, request: DeployRequest) -> SchemaChange {
        request.into_change(&self.connection, self.now())
    }

    fn now(&self) -> Timestamp {
        self.client.now()
    }
}

#[async_trait]
impl Database for PlanetScale {
    async fn answer(&self, need: &Need) -> Result<Answer, ForgeError> {
        match need {
            Need::SchemaChanges { into, .. } => self.list(into).await,
            Need::SchemaChange { number, .. } => Ok(Answer::SchemaChange(Box::new(self.one(*number).await?))),
            _ => Err(ForgeError::Permanent("a database knows nothing of the forge".to_owned())),
        }
    }

    async fn apply(&self, effect: &Effect, context: &ApplyContext) -> Result<Applied, ForgeError> {
        let Effect::ActOnSchema { pin, act, request: _ } = effect else {
            return Err(ForgeError::Permanent("a database does nothing for the forge".to_owned()));
        };
        act::act(self, pin, *act, context.look_only).await
    }

    async fn inspect(&self, webhook_url: &str) -> Inspection {
        inspect::inspect(self, webhook_url).await
    }
}
