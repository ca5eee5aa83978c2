//! Handle to the running simulation, for the demo and tests.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::{Arc, Mutex},
    time::Duration,
};

use rand::RngExt;
use secrecy::SecretString;
use tokio::{net::TcpListener, sync::Notify, task::JoinHandle};

use super::{
    SimError,
    app::{App, Hook, SignIns},
    auth::AppKey,
    delivery::Act,
    fault::Faults,
    limits::Limits,
    server,
    shared::Shared,
    state::State,
};
use crate::Clock;

/// First id that is assigned: large, so that ids are not mistaken for item numbers.
const FIRST_ID: u64 = 1_000_000_000;
/// Events that the App subscribes to by default.
const EVENTS: [&str; 18] = [
    "check_run",
    "check_suite",
    "create",
    "delete",
    "deployment",
    "deployment_protection_rule",
    "deployment_status",
    "issue_comment",
    "issues",
    "label",
    "merge_group",
    "pull_request",
    "pull_request_review",
    "push",
    "release",
    "repository",
    "status",
    "workflow_run",
];
/// Time after which GitHub gives up on a receiver.
const PATIENCE: Duration = Duration::from_secs(10);

/// Time at which deliveries are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sending {
    /// Held until [`SimForge::deliver_pending`], [`SimForge::send`] or [`SimForge::take_pending`].
    Held,
    /// Sent by a task at once, in order.
    AtOnce,
}

/// Options of a simulation.
pub struct Options {
    /// The App's id.
    pub app_id: u64,
    /// The App's short name; its account is `slug[bot]`.
    pub slug: String,
    /// The App's public key.
    pub key: AppKey,
    /// Secret that signs webhooks.
    pub webhook_secret: SecretString,
    /// Address that receives webhooks; can be set later.
    pub webhook_url: Option<String>,
    /// `X-GitHub-Hook-ID`.
    pub hook_id: u64,
    /// Clock that stamps all events.
    pub clock: Arc<dyn Clock>,
    /// Clock that checks JSON Web Tokens and installation tokens; `None` uses `clock`. A client
    /// whose library signs with the system's time needs a clock with that time.
    pub auth_clock: Option<Arc<dyn Clock>>,
    /// The App's permissions, such as `issues: write`.
    pub permissions: BTreeMap<String, String>,
    /// Events that the App subscribes to.
    pub events: Vec<String>,
    /// Account that is signed in to the web pages.
    pub signed_in: String,
    /// Time at which deliveries are sent.
    pub sending: Sending,
    /// Whether to refuse requests over GitHub's published limits.
    pub enforce_limits: bool,
    /// Path before every route: empty as on github.com, or `/api/v3` as on GitHub Enterprise
    /// Server, where GraphQL is at `/api/graphql`.
    pub base_path: String,
}

impl Options {
    /// Returns the options of an App `phasebot` with every permission that its features need.
    /// Deliveries are held, and limits only counted.
    pub fn new(app_id: u64, key: AppKey, webhook_secret: SecretString, clock: Arc<dyn Clock>) -> Self {
        let write = ["issues", "pull_requests", "checks", "statuses", "deployments", "actions", "contents"];
        let mut permissions: BTreeMap<String, String> = write.map(|p| (p.to_owned(), "write".to_owned())).into();
        let read = ["metadata", "members", "merge_queues"];
        permissions.extend(read.map(|p| (p.to_owned(), "read".to_owned())));
        Self {
            app_id,
            slug: "phasebot".to_owned(),
            key,
            webhook_secret,
            webhook_url: None,
            hook_id: 7001,
            clock,
            auth_clock: None,
            permissions,
            events: EVENTS.map(str::to_owned).to_vec(),
            signed_in: "alice".to_owned(),
            sending: Sending::Held,
            enforce_limits: false,
            base_path: String::new(),
        }
    }
}

struct Running {
    shared: Arc<Shared>,
    tasks: Vec<JoinHandle<()>>,
}

impl Drop for Running {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// A running simulation. It stops when the last clone is dropped.
#[derive(Clone)]
pub struct SimForge {
    running: Arc<Running>,
}

impl SimForge {
    /// Starts a simulation on a free local port.
    pub async fn start(options: Options) -> Result<Self, SimError> {
        let network = |e: std::io::Error| SimError::Network(e.to_string());
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(network)?;
        let address = listener.local_addr().map_err(network)?;
        let client = reqwest::Client::builder()
            .no_proxy()
            .timeout(PATIENCE)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|e| SimError::Network(e.to_string()))?;
        let mut state = State {
            api: format!("http://{address}{}", options.base_path),
            web: format!("http://{address}"),
            signed_in: options.signed_in,
            registrations: BTreeMap::new(),
            sign_ins: SignIns::default(),
            base_path: options.base_path,
            app: App {
                id: options.app_id,
                name: options.slug.clone(),
                owner: options.slug.clone(),
                slug: options.slug,
                hook_id: options.hook_id,
                key: options.key,
                permissions: options.permissions,
                events: options.events,
                hook: Hook { url: options.webhook_url, secret: options.webhook_secret },
                created_at: options.clock.now(),
            },
            auth_clock: options.auth_clock.unwrap_or_else(|| options.clock.clone()),
            clock: options.clock,
            users: BTreeMap::new(),
            repos: BTreeMap::new(),
            names: BTreeMap::new(),
            old_names: BTreeMap::new(),
            installations: BTreeMap::new(),
            tokens: HashMap::new(),
            teams: BTreeMap::new(),
            outgoing: VecDeque::new(),
            made: Vec::new(),
            attempts: Vec::new(),
            exchanges: Vec::new(),
            faults: Faults::default(),
            limits: Limits::default(),
            last_id: FIRST_ID,
            salt: rand::rng().random(),
        };
        state.limits.enforced = options.enforce_limits;
        let (slug, bot) = (state.app.slug.clone(), state.bot());
        state.user(&slug, "Organization");
        state.user(&bot, "Bot");
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            hook_id: options.hook_id,
            client,
            turn: tokio::sync::Mutex::new(()),
            news: Notify::new(),
        });
        let mut tasks = vec![tokio::spawn(server::serve(listener, shared.clone()))];
        if options.sending == Sending::AtOnce {
            let shared = shared.clone();
            tasks.push(tokio::spawn(async move {
                loop {
                    shared.news.notified().await;
                    shared.deliver_pending().await;
                }
            }));
        }
        Ok(Self { running: Arc::new(Running { shared, tasks }) })
    }

    pub(super) fn shared(&self) -> &Shared {
        &self.running.shared
    }

    /// Returns the API's address, without a slash at its end.
    pub fn api_url(&self) -> String {
        self.shared().state().api.clone()
    }

    /// Returns the web pages' address, without a slash at its end.
    pub fn web_url(&self) -> String {
        self.shared().state().web.clone()
    }

    /// Sets the address that receives webhooks.
    pub fn set_webhook_url(&self, url: &str) {
        self.shared().state().app.hook.url = Some(url.to_owned());
    }

    // ── Repositories and accounts ──

    /// Posts a body with a bearer token as an external system; returns the status of the answer.
    pub async fn post(&self, url: &str, token: &str, body: String) -> Result<u16, SimError> {
        self.running.shared.post(url, token, body).await
    }

    /// Creates a repository with one commit on `main`; returns its id. Sends no webhook.
    pub fn create_repo(&self, full_name: &str) -> Result<u64, SimError> {
        self.shared().state().create_repo(full_name)
    }

    /// Renames the App: its account is then called `SLUG[bot]`. Sends no webhook.
    pub fn rename_app(&self, slug: &str) {
        self.shared().state().rename_app(slug);
    }

    /// Sets an account's role: `read`, `triage`, `write`, `maintain`, `admin`; `none` removes it.
    pub fn set_role(&self, full_name: &str, login: &str, role: &str) -> Result<(), SimError> {
        let mut state = self.shared().state();
        state.user(login, "User");
        let repo = number_of(&state, full_name)?;
        state.repo_mut(repo)?.roles.insert(login.to_ascii_lowercase(), role.to_owned());
        Ok(())
    }

    /// Creates a milestone; returns its number.
    pub fn add_milestone(&self, full_name: &str, title: &str) -> Result<u64, SimError> {
        let mut state = self.shared().state();
        let repo = number_of(&state, full_name)?;
        let milestones = &mut state.repo_mut(repo)?.milestones;
        let number = milestones.keys().max().map_or(1, |last| last + 1);
        milestones.insert(number, title.to_owned());
        Ok(number)
    }

    /// Adds an account to a team, `org/team`.
    pub fn add_to_team(&self, team: &str, login: &str) {
        let mut state = self.shared().state();
        state.user(login, "User");
        state.teams.entry(team.to_lowercase()).or_default().insert(login.to_ascii_lowercase());
    }

    /// Sets the checks that a branch's rules require.
    pub fn require_checks(&self, full_name: &str, branch: &str, checks: &[&str]) -> Result<(), SimError> {
        let mut state = self.shared().state();
        let repo = number_of(&state, full_name)?;
        let checks = checks.iter().map(|c| (*c).to_owned()).collect();
        state.repo_mut(repo)?.required.insert(branch.to_owned(), checks);
        Ok(())
    }

    /// Installs the App on repositories of one owner; returns the installation's id.
    pub fn install(&self, by: &str, full_names: &[&str]) -> Result<Act<u64>, SimError> {
        self.act(|state| {
            let repos = numbers_of(state, full_names)?;
            state.install(by, &repos)
        })
    }

    /// Adds repositories to an installation and removes others.
    pub fn change_installation(&self, id: u64, by: &str, add: &[&str], remove: &[&str]) -> Result<Act<()>, SimError> {
        self.act(|state| {
            let (add, remove) = (numbers_of(state, add)?, numbers_of(state, remove)?);
            state.change_installation(id, by, &add, &remove)
        })
    }

    /// Uninstalls the App.
    pub fn uninstall(&self, id: u64, by: &str) -> Result<Act<()>, SimError> {
        self.act(|state| state.uninstall(id, by))
    }

    /// Carries out an action, and collects the deliveries that it creates.
    pub(super) fn act<T>(&self, what: impl FnOnce(&mut State) -> Result<T, SimError>) -> Result<Act<T>, SimError> {
        let mut state = self.shared().state();
        let before = state.made.len();
        let made = what(&mut state)?;
        let deliveries = state.made.split_at(before).1.to_vec();
        drop(state);
        self.shared().news.notify_one();
        Ok(Act { made, deliveries })
    }
}

/// Returns the id of the repository that has this name now.
pub(super) fn number_of(state: &State, full_name: &str) -> Result<u64, SimError> {
    let found = state.names.get(&full_name.to_lowercase()).copied();
    found.ok_or_else(|| SimError::NoSuch(format!("repository {full_name}")))
}

fn numbers_of(state: &State, full_names: &[&str]) -> Result<Vec<u64>, SimError> {
    full_names.iter().map(|n| number_of(state, n)).collect()
}
