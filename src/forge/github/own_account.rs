//! Who we are on GitHub, and what we wrote there.

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

/// Our App.
pub(super) struct Identity {
    app_id: u64,
    /// Our account as GitHub last told it: an App may be renamed, and its
    /// account with it.
    actor: RwLock<Option<Actor>>,
}

/// A comment or issue, as far as it tells who wrote it.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Written {
    /// A comment's id; an issue has one too, but goes by its number.
    pub(super) id: u64,
    /// An issue's number.
    pub(super) number: Option<u64>,
    /// Its global id, as GraphQL knows it.
    pub(super) node_id: Option<String>,
    /// An issue's title.
    pub(super) title: Option<String>,
    /// An issue's state: `open` or `closed`.
    pub(super) state: Option<String>,
    /// Its text.
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
    /// The App with this id.
    pub(super) fn new(app_id: u64) -> Self {
        Self { app_id, actor: RwLock::default() }
    }

    /// Our App's id.
    pub(super) fn app_id(&self) -> u64 {
        self.app_id
    }

    /// Our account, as GitHub tells it now. Whoever looks for what we made by
    /// our name asks here: under an old one nothing would be found, and made twice.
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

    /// Whether a bot is us. Only if it is not who we were is GitHub asked.
    async fn is(&self, client: &Client, login: &str) -> Result<bool, ForgeError> {
        if self.actor.read().await.as_ref().is_some_and(|actor| actor.is_called(login)) {
            return Ok(true);
        }
        Ok(self.actor(client).await?.is_called(login))
    }

    /// Whether we wrote it. A marker proves nothing: anyone can copy ours.
    /// GitHub names the App; where it does not, the author must be our bot.
    pub(super) async fn wrote(&self, client: &Client, it: &Written) -> Result<bool, ForgeError> {
        let Some(user) = &it.user else { return Ok(false) };
        // A person may write through our App and is not us.
        if user.kind.as_deref() != Some("Bot") {
            return Ok(false);
        }
        match &it.performed_via_github_app {
            Some(app) => Ok(app.id == self.app_id),
            None => self.is(client, &user.login).await,
        }
    }
}
