//! phasebot's own account on GitHub, and recognition of its own comments and issues.

use http::Method;
use serde::Deserialize;
use tokio::sync::RwLock;

use crate::{
    domain::id::Actor,
    forge::github::{
        client::{Caller, Client},
        transport::Call,
    },
    port::forge::ForgeError,
};

/// Identity of our App.
pub(super) struct Identity {
    app_id: u64,
    /// Our account as GitHub last reported it. Renaming an App also renames its account.
    actor: RwLock<Option<Actor>>,
}

/// A comment or issue with its author.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Written {
    /// Id of a comment. An issue has one too, but is addressed by its number.
    pub(super) id: u64,
    /// Number of an issue.
    pub(super) number: Option<u64>,
    /// Global id for GraphQL.
    pub(super) node_id: Option<String>,
    /// Title of an issue.
    pub(super) title: Option<String>,
    /// State of an issue: `open` or `closed`.
    pub(super) state: Option<String>,
    /// Body.
    pub(super) body: Option<String>,
    user: Option<User>,
    performed_via_github_app: Option<App>,
}

#[derive(Debug, Clone, Deserialize)]
struct User {
    login: String,
    #[serde(rename = "type")]
    kind: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
struct App {
    id: u64,
}

impl Identity {
    /// Creates the identity of the App with this id.
    pub(super) fn new(app_id: u64) -> Self {
        Self { app_id, actor: RwLock::default() }
    }

    /// Returns our App's id.
    pub(super) fn app_id(&self) -> u64 {
        self.app_id
    }

    /// Returns our account as GitHub reports it now. Searches by our account's name need the
    /// present name: with an old one they would find nothing, and the object would be created
    /// twice.
    pub(super) async fn actor(&self, client: &Client) -> Result<Actor, ForgeError> {
        #[derive(Deserialize)]
        struct Body {
            slug: String,
        }
        let path = client.transport.root.rest("/app");
        let call = Call { route: "GET /app", method: Method::GET, path, body: None, read: true };
        let body: Body = client.call(&call, Caller::App).await?.json()?;
        let actor = Actor { id: None, login: format!("{}[bot]", body.slug), bot: true };
        *self.actor.write().await = Some(actor.clone());
        Ok(actor)
    }

    /// Returns whether a login is ours. Asks GitHub only if it differs from the known login.
    pub(super) async fn is(&self, client: &Client, login: &str) -> Result<bool, ForgeError> {
        if self.actor.read().await.as_ref().is_some_and(|actor| actor.is_called(login)) {
            return Ok(true);
        }
        Ok(self.actor(client).await?.is_called(login))
    }

    /// Returns whether we wrote a comment or issue. A marker is no proof, because anyone can copy
    /// it. GitHub names the App; if it does not, the author must be our bot.
    pub(super) async fn wrote(&self, client: &Client, it: &Written) -> Result<bool, ForgeError> {
        let Some(user) = &it.user else { return Ok(false) };
        // A person may write through our App but is not phasebot.
        if user.kind.as_deref() != Some("Bot") {
            return Ok(false);
        }
        match &it.performed_via_github_app {
            Some(app) => Ok(app.id == self.app_id),
            None => self.is(client, &user.login).await,
        }
    }
}
