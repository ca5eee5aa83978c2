//! Questions about the App itself: who it is, where it is installed, what it
//! was granted, and how its webhook fares. For `setup` and `doctor`.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use http::{Method, header};
use jiff::Timestamp;
use secrecy::SecretString;
use serde::{Deserialize, de::DeserializeOwned};

use crate::forge::github::{
    SetupError,
    app_permissions::Grants,
    auth::AppKey,
    client::{Caller, Client},
    failure::Failure,
    file, path,
    repo::Repo,
    required,
    ruleset::Ruleset,
    transport::{Call, Transport},
};
use crate::{
    domain::{
        fact::policy::FileSeen,
        id::{ForgeName, InstallationId, RepoKey},
        needs::RequiredCheck,
    },
    port::{
        clock::Clock,
        forge::{ForgeError, Target},
    },
};

/// Most installations, and most repositories of one, that are looked at.
pub const MOST: usize = 100;

/// Asks in the App's name.
pub struct Inspector {
    client: Client,
}

/// What was said of the App, and when by the forge's clock.
pub struct Seen {
    /// The forge's time, to the second; none if it told none.
    pub forge_time: Option<Timestamp>,
    /// The App, or why it was not told.
    pub app: Result<App, ForgeError>,
}

/// The App.
#[derive(Debug, Clone, Deserialize)]
pub struct App {
    /// Its number.
    pub id: u64,
    /// Its short name.
    pub slug: String,
    /// Its page.
    pub html_url: String,
    /// To whom it belongs.
    pub owner: Owner,
    #[serde(default)]
    permissions: BTreeMap<String, String>,
    #[serde(default)]
    events: Vec<String>,
}

/// An account.
#[derive(Debug, Clone, Deserialize)]
pub struct Owner {
    /// Its name; an enterprise has none.
    #[serde(default)]
    pub login: String,
    /// `User` or `Organization`.
    #[serde(default, rename = "type")]
    pub kind: String,
}

/// An installation.
#[derive(Debug, Clone, Deserialize)]
pub struct Installation {
    /// Its number.
    pub id: InstallationId,
    /// On whose repositories.
    pub account: Option<Owner>,
    /// Its settings page.
    pub html_url: String,
    /// Somebody suspended it.
    pub suspended_at: Option<Timestamp>,
    #[serde(default)]
    permissions: BTreeMap<String, String>,
    #[serde(default)]
    events: Vec<String>,
}

/// The App's webhook.
#[derive(Debug, Clone, Deserialize)]
pub struct Hook {
    /// Where it goes.
    pub url: Option<String>,
    /// Stars, if there is one.
    pub secret: Option<String>,
    /// `json` or `form`.
    pub content_type: Option<String>,
}

/// One attempt to deliver a webhook.
#[derive(Debug, Clone, Deserialize)]
pub struct Delivery {
    /// When.
    pub delivered_at: Timestamp,
    /// What came of it, in GitHub's words.
    pub status: String,
    /// What we answered; 0 or a gateway's code if it did not reach us.
    pub status_code: u16,
}

/// A repository of an installation.
#[derive(Debug, Clone, Deserialize)]
pub struct Repository {
    /// Its number.
    pub id: u64,
    /// `owner/name`.
    pub full_name: String,
    /// Its page.
    pub html_url: String,
    /// Where its policy is read.
    pub default_branch: String,
    /// It is read-only.
    #[serde(default)]
    pub archived: bool,
}

/// How many calls an installation may still make in this hour.
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct Rate {
    /// In an hour.
    pub limit: u64,
    /// Left of these.
    pub remaining: u64,
    /// Until, in seconds since 1970.
    pub reset: i64,
}

impl App {
    /// What it asks for.
    pub fn grants(&self) -> Grants {
        Grants::held(&self.permissions, &self.events)
    }
}

impl Installation {
    /// What it was granted.
    pub fn grants(&self) -> Grants {
        Grants::held(&self.permissions, &self.events)
    }

    /// On whose repositories.
    pub fn owner(&self) -> &str {
        self.account.as_ref().map_or("?", |account| &account.login)
    }
}

impl Inspector {
    /// Prepares everything and sends nothing. Call it within a Tokio runtime.
    pub fn new(
        api_url: &str,
        app_id: u64,
        private_key: &SecretString,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, SetupError> {
        let transport = Transport::new(ForgeName::github(), api_url)?;
        Ok(Self { client: Client::new(transport, AppKey::new(app_id, private_key)?, clock) })
    }

    /// The App, and the forge's time.
    pub async fn app(&self) -> Seen {
        let call = self.get("GET /app", "/app");
        match self.client.once_as_app(&call).await {
            Ok(raw) => {
                let date = raw.headers.get(header::DATE).and_then(|date| date.to_str().ok());
                let forge_time =
                    date.and_then(|date| jiff::fmt::rfc2822::parse(date).ok()).map(|date| date.timestamp());
                let app = if raw.status.is_success() {
                    raw.body
                        .and_then(|body| serde_json::from_slice(&body).ok())
                        .ok_or_else(|| ForgeError::Transient(format!("{}: the answer makes no sense", call.route)))
                } else {
                    Err(Failure::answered(&call, &raw, self.client.now()).into())
                };
                Seen { forge_time, app }
            }
            Err(error) => Seen { forge_time: None, app: Err(error) },
        }
    }

    /// Where the App is installed; the first [`MOST`].
    pub async fn installations(&self) -> Result<Vec<Installation>, ForgeError> {
        self.ask("GET /app/installations", &format!("/app/installations?per_page={MOST}"), Caller::App).await
    }

    /// The App's webhook.
    pub async fn hook(&self) -> Result<Hook, ForgeError> {
        self.ask("GET /app/hook/config", "/app/hook/config", Caller::App).await
    }

    /// The newest deliveries, newest first.
    pub async fn deliveries(&self, most: usize) -> Result<Vec<Delivery>, ForgeError> {
        self.ask("GET /app/hook/deliveries", &format!("/app/hook/deliveries?per_page={most}"), Caller::App).await
    }

    /// An installation's repositories, the first [`MOST`], and how many there are.
    pub async fn repositories(&self, of: InstallationId) -> Result<(Vec<Repository>, usize), ForgeError> {
        #[derive(Deserialize)]
        struct Page {
            total_count: usize,
            repositories: Vec<Repository>,
        }
        let path = format!("/installation/repositories?per_page={MOST}");
        let page: Page = self.ask("GET /installation/repositories", &path, Caller::Installation(of, 0)).await?;
        Ok((page.repositories, page.total_count))
    }

    /// How many calls are left. Asking costs none.
    pub async fn rate(&self, of: InstallationId) -> Result<Rate, ForgeError> {
        #[derive(Deserialize)]
        struct Body {
            resources: Resources,
        }
        #[derive(Deserialize)]
        struct Resources {
            core: Rate,
        }
        let body: Body = self.ask("GET /rate_limit", "/rate_limit", Caller::Installation(of, 0)).await?;
        Ok(body.resources.core)
    }

    /// A file on the default branch of a repository, or of another one of its owner.
    pub async fn file(
        &self,
        installation: InstallationId,
        repo: &Repository,
        of: Option<&str>,
        path: &str,
    ) -> Result<Option<FileSeen>, ForgeError> {
        file::read(&self.client, &target(installation, repo), of, path, None).await
    }

    /// Asks what an account may do in a repository, as gates and commands do.
    /// The owner's own account is asked about: it exists, be it a person or an
    /// organisation, which GitHub then says is no collaborator.
    pub async fn tells_permissions(&self, of: &Installation, repo: &Repository) -> Result<(), ForgeError> {
        let base = path::repository(&repo.full_name)?;
        let path = format!("{base}/collaborators/{}/permission", path::segment(of.owner())?);
        let route = "GET /repos/{owner}/{repo}/collaborators/{username}/permission";
        match self.ask::<serde_json::Value>(route, &path, Caller::Installation(of.id, repo.id)).await {
            Ok(_) | Err(ForgeError::NotFound(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Checks that the rules of a branch require.
    pub async fn required_checks(
        &self,
        installation: InstallationId,
        repo: &Repository,
        branch: &str,
    ) -> Result<BTreeSet<RequiredCheck>, ForgeError> {
        let target = target(installation, repo);
        required::checks(&mut Repo::new(&self.client, &target)?, branch).await
    }

    /// A repository's active rulesets on tags, with their rules.
    pub async fn tag_rulesets(&self, of: InstallationId, repo: &Repository) -> Result<Vec<Ruleset>, ForgeError> {
        #[derive(Deserialize)]
        struct Listed {
            id: u64,
            enforcement: String,
        }
        let caller = Caller::Installation(of, repo.id);
        let base = path::repository(&repo.full_name)?;
        let list = format!("{base}/rulesets?targets=tag&per_page={MOST}");
        let all: Vec<Listed> = self.ask("GET /repos/{owner}/{repo}/rulesets", &list, caller).await?;
        let mut found = Vec::new();
        for listed in all.iter().filter(|listed| listed.enforcement == "active") {
            let one = format!("{base}/rulesets/{}", listed.id);
            found.push(self.ask("GET /repos/{owner}/{repo}/rulesets/{ruleset_id}", &one, caller).await?);
        }
        Ok(found)
    }

    /// Whether our App's protection rule stands before an environment; `None`:
    /// there is no such environment.
    pub async fn protects(
        &self,
        of: InstallationId,
        repo: &Repository,
        environment: &str,
        app: u64,
    ) -> Result<Option<bool>, ForgeError> {
        #[derive(Deserialize)]
        struct Page {
            #[serde(default)]
            custom_deployment_protection_rules: Vec<Enabled>,
        }
        #[derive(Deserialize)]
        struct Enabled {
            enabled: bool,
            app: Numbered,
        }
        #[derive(Deserialize)]
        struct Numbered {
            id: u64,
        }
        let base = path::repository(&repo.full_name)?;
        let path = format!("{base}/environments/{}/deployment_protection_rules", path::segment(environment)?);
        let route = "GET /repos/{owner}/{repo}/environments/{environment_name}/deployment_protection_rules";
        match self.ask::<Page>(route, &path, Caller::Installation(of, repo.id)).await {
            Ok(page) => {
                Ok(Some(page.custom_deployment_protection_rules.iter().any(|rule| rule.enabled && rule.app.id == app)))
            }
            Err(ForgeError::NotFound(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn get(&self, route: &'static str, path: &str) -> Call {
        Call { route, method: Method::GET, path: self.client.transport.root.rest(path), body: None, read: true }
    }

    pub(super) async fn ask<T: DeserializeOwned>(
        &self,
        route: &'static str,
        path: &str,
        caller: Caller,
    ) -> Result<T, ForgeError> {
        self.client.call(&self.get(route, path), caller).await?.json()
    }
}

fn target(installation: InstallationId, repo: &Repository) -> Target {
    Target {
        installation,
        repo: RepoKey { forge: ForgeName::github(), id: repo.id },
        full_name: repo.full_name.clone(),
    }
}
