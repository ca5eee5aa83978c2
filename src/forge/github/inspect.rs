//! Reads the App's own state for `setup` and `doctor`: its account, installations, granted
//! permissions and webhook deliveries.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use http::{Method, header};
use jiff::Timestamp;
use secrecy::SecretString;
use serde::{Deserialize, de::DeserializeOwned};

use crate::{
    domain::{
        fact::policy::FileSeen,
        id::{ConnectionId, ForgeName, RepoKey},
        needs::RequiredCheck,
    },
    forge::github::{
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
    },
    port::{
        clock::Clock,
        forge::{ForgeError, Target},
    },
};

/// Maximum number of installations read, and of repositories read per installation.
pub const PAGE: usize = 100;

/// Sends the read requests of `setup` and `doctor` with the App's credentials.
pub struct Inspector {
    client: Client,
}

/// The answer to `GET /app`, with GitHub's clock.
pub struct Seen {
    /// GitHub's time from the `Date` header, to the second; `None` if it is missing or malformed.
    pub forge_time: Option<Timestamp>,
    /// The App, or the error of the request.
    pub app: Result<App, ForgeError>,
}

/// A GitHub App.
#[derive(Debug, Clone, Deserialize)]
pub struct App {
    /// App id.
    pub id: u64,
    /// URL-friendly name.
    pub slug: String,
    /// Address of the App's page.
    pub html_url: String,
    /// Account that owns the App.
    pub owner: Owner,
    #[serde(default)]
    permissions: BTreeMap<String, String>,
    #[serde(default)]
    events: Vec<String>,
}

/// An account: a user, an organisation or an enterprise.
#[derive(Debug, Clone, Deserialize)]
pub struct Owner {
    /// Account name; empty for an enterprise.
    #[serde(default)]
    pub login: String,
    /// `User` or `Organization`.
    #[serde(default, rename = "type")]
    pub kind: String,
}

/// An installation of the App.
#[derive(Debug, Clone, Deserialize)]
pub struct Installation {
    /// Installation id.
    pub id: ConnectionId,
    /// Account whose repositories the App is installed on.
    pub account: Option<Owner>,
    /// Address of the installation's settings page.
    pub html_url: String,
    /// Time when the installation was suspended; `None` if it is active.
    pub suspended_at: Option<Timestamp>,
    #[serde(default)]
    permissions: BTreeMap<String, String>,
    #[serde(default)]
    events: Vec<String>,
}

/// Configuration of the App's webhook.
#[derive(Debug, Clone, Deserialize)]
pub struct Hook {
    /// Address that receives the deliveries.
    pub url: Option<String>,
    /// Masked secret (asterisks); `None` if no secret is set.
    pub secret: Option<String>,
    /// Body encoding: `json` or `form`.
    pub content_type: Option<String>,
}

/// One attempt to deliver a webhook event.
#[derive(Debug, Clone, Deserialize)]
pub struct Delivery {
    /// Time of the attempt.
    pub delivered_at: Timestamp,
    /// Result of the attempt, in GitHub's words.
    pub status: String,
    /// HTTP status of phasebot's answer; 0 or a gateway's status if the delivery did not arrive.
    pub status_code: u16,
}

/// A repository that an installation covers.
#[derive(Debug, Clone, Deserialize)]
pub struct Repository {
    /// Repository id.
    pub id: u64,
    /// `owner/name`.
    pub full_name: String,
    /// Address of the repository's page.
    pub html_url: String,
    /// Branch that the policy is read from.
    pub default_branch: String,
    /// Whether the repository is archived, and therefore read-only.
    #[serde(default)]
    pub archived: bool,
}

/// An installation's REST rate limit for the current hour.
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct Rate {
    /// Calls allowed per hour.
    pub limit: u64,
    /// Calls left.
    pub remaining: u64,
    /// Time when the limit resets, in seconds since 1970.
    pub reset: i64,
}

impl App {
    /// Returns the permissions and events that the App requests.
    pub fn grants(&self) -> Grants {
        Grants::held(&self.permissions, &self.events)
    }
}

impl Installation {
    /// Returns the permissions and events that the installation was granted.
    pub fn grants(&self) -> Grants {
        Grants::held(&self.permissions, &self.events)
    }

    /// Returns the name of the account that the App is installed on; `?` if GitHub names none.
    pub fn owner(&self) -> &str {
        self.account.as_ref().map_or("?", |account| &account.login)
    }
}

impl Inspector {
    /// Creates the client without sending a request. Requires a Tokio runtime.
    pub fn new(
        api_url: &str,
        app_id: u64,
        private_key: &SecretString,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, SetupError> {
        let transport = Transport::new(ForgeName::github(), api_url)?;
        Ok(Self { client: Client::new(transport, AppKey::new(app_id, private_key)?, clock) })
    }

    /// Reads the App and GitHub's time.
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

    /// Returns the App's installations, at most the first [`PAGE`].
    pub async fn installations(&self) -> Result<Vec<Installation>, ForgeError> {
        self.ask("GET /app/installations", &format!("/app/installations?per_page={PAGE}"), Caller::App).await
    }

    /// Reads the configuration of the App's webhook.
    pub async fn hook(&self) -> Result<Hook, ForgeError> {
        self.ask("GET /app/hook/config", "/app/hook/config", Caller::App).await
    }

    /// Returns the latest deliveries, newest first, at most `most`.
    pub async fn deliveries(&self, most: usize) -> Result<Vec<Delivery>, ForgeError> {
        self.ask("GET /app/hook/deliveries", &format!("/app/hook/deliveries?per_page={most}"), Caller::App).await
    }

    /// Returns an installation's repositories, at most the first [`PAGE`], and their total number.
    pub async fn repositories(&self, of: ConnectionId) -> Result<(Vec<Repository>, usize), ForgeError> {
        #[derive(Deserialize)]
        struct Page {
            total_count: usize,
            repositories: Vec<Repository>,
        }
        let path = format!("/installation/repositories?per_page={PAGE}");
        let page: Page = self.ask("GET /installation/repositories", &path, Caller::Installation(of, 0)).await?;
        Ok((page.repositories, page.total_count))
    }

    /// Reads an installation's rate limit. This call does not count against the limit.
    pub async fn rate(&self, of: ConnectionId) -> Result<Rate, ForgeError> {
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

    /// Reads a file on the default branch of `repo`, or of the repository `of` that has the same
    /// owner.
    pub async fn file(
        &self,
        installation: ConnectionId,
        repo: &Repository,
        of: Option<&str>,
        path: &str,
    ) -> Result<Option<FileSeen>, ForgeError> {
        file::read(&self.client, &target(installation, repo), of, path, None).await
    }

    /// Checks that the App can read an account's permission in a repository, as gates and commands
    /// do.
    /// Asks about the owner's account because it always exists. If the owner is an organisation,
    /// GitHub answers that it is not a collaborator (404), which counts as success.
    pub async fn check_permission_query(&self, of: &Installation, repo: &Repository) -> Result<(), ForgeError> {
        let base = path::repository(&repo.full_name)?;
        let path = format!("{base}/collaborators/{}/permission", path::segment(of.owner())?);
        let route = "GET /repos/{owner}/{repo}/collaborators/{username}/permission";
        match self.ask::<serde_json::Value>(route, &path, Caller::Installation(of.id, repo.id)).await {
            Ok(_) | Err(ForgeError::NotFound(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Returns the checks that the rules of `branch` require.
    pub async fn required_checks(
        &self,
        installation: ConnectionId,
        repo: &Repository,
        branch: &str,
    ) -> Result<BTreeSet<RequiredCheck>, ForgeError> {
        let target = target(installation, repo);
        required::checks(&mut Repo::new(&self.client, &target)?, branch).await
    }

    /// Returns a repository's active tag rulesets with their rules.
    pub async fn tag_rulesets(&self, of: ConnectionId, repo: &Repository) -> Result<Vec<Ruleset>, ForgeError> {
        #[derive(Deserialize)]
        struct Listed {
            id: u64,
            enforcement: String,
        }
        let caller = Caller::Installation(of, repo.id);
        let base = path::repository(&repo.full_name)?;
        let list = format!("{base}/rulesets?targets=tag&per_page={PAGE}");
        let all: Vec<Listed> = self.ask("GET /repos/{owner}/{repo}/rulesets", &list, caller).await?;
        let mut found = Vec::new();
        for listed in all.iter().filter(|listed| listed.enforcement == "active") {
            let one = format!("{base}/rulesets/{}", listed.id);
            found.push(self.ask("GET /repos/{owner}/{repo}/rulesets/{ruleset_id}", &one, caller).await?);
        }
        Ok(found)
    }

    /// Returns whether the App's deployment protection rule is enabled for an environment; `None`
    /// if the environment does not exist.
    pub async fn protects(
        &self,
        of: ConnectionId,
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

fn target(installation: ConnectionId, repo: &Repository) -> Target {
    Target {
        installation,
        repo: RepoKey { forge: ForgeName::github(), id: repo.id },
        full_name: repo.full_name.clone(),
    }
}
