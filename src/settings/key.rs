//! Table of settings: one row each, with its name and its parser.

use jiff::SignedDuration;

use crate::settings::{
    AlertFields, Draft, EventFields, Github, LogFormat, Removal, Settings,
    alert::{self, AlertKind, AlertType},
    event::{self, EventKind},
    notice::{self, NoticeTargetKind},
    problem::nearest,
    value::Given,
    verdict,
};

/// A setting of a section `T`.
pub(super) struct Key<T> {
    /// Name within the section.
    pub(super) name: &'static str,
    /// Whether it is a secret: a `…_FILE` variable may name its file, and its value is never shown.
    pub(super) secret: bool,
    /// Whether it must not be in the settings file.
    pub(super) environment_only: bool,
    /// Parses and sets it.
    pub(super) set: fn(&mut T, &Given<'_>) -> Result<(), String>,
}

type Set<T> = fn(&mut T, &Given<'_>) -> Result<(), String>;

const fn plain<T>(name: &'static str, set: Set<T>) -> Key<T> {
    Key { name, secret: false, environment_only: false, set }
}

const fn secret<T>(name: &'static str, set: Set<T>) -> Key<T> {
    Key { name, secret: true, environment_only: false, set }
}

/// Minimum retention. GitHub can redeliver for up to a week: until then a delivery must be
/// recognized as a duplicate.
const LEAST_RETENTION: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Minimum heartbeat interval. A source that needs a shorter one is better polled directly.
const LEAST_HEARTBEAT: SignedDuration = SignedDuration::from_secs(30);

/// Settings outside any section.
pub(super) const ROOT: &[Key<Settings>] = &[
    plain("listen", |s, v| v.address().map(|it| s.listen = it)),
    plain("admin_listen", |s, v| v.address().map(|it| s.admin_listen = it)),
    plain("public_url", |s, v| v.web_address().map(|it| s.public_url = it)),
    plain("web_listen", |s, v| v.optional_address().map(|it| s.web_listen = it)),
    plain("web_url", |s, v| v.web_address().map(|it| s.web_url = it)),
    secret("web_secrets", |s, v| v.secrets().map(|it| s.web_secrets = it)),
    plain("web_open", |s, v| v.flag().map(|it| s.web_open = it)),
    secret("database_url", |s, v| v.database().map(|it| s.database_url = it)),
    plain("backup_before_migration", |s, v| v.flag().map(|it| s.backup_before_migration = it)),
    plain("dry_run", |s, v| v.flag().map(|it| s.dry_run = it)),
    plain("log", |s, v| v.log_filter().map(|it| s.log = it)),
    plain("log_format", |s, v| v.one_of(&LogFormat::ALL).map(|it| s.log_format = it)),
    plain("policy_file", |s, v| v.path().map(|it| s.policy_file = it)),
    plain("retention", |s, v| v.duration(LEAST_RETENTION).map(|it| s.retention = it)),
    plain("on_removal", |s, v| v.one_of(&Removal::ALL).map(|it| s.on_removal = it)),
    secret("admin_token", |s, v| v.optional_secret().map(|it| s.admin_token = it)),
    plain("admin_hosts", |s, v| v.host_names().map(|it| s.admin_hosts = it)),
    plain("catch_up", |s, v| v.duration(SignedDuration::ZERO).map(|it| s.catch_up = it)),
    plain("max_connections", |s, v| v.count().map(|it| s.max_connections = it)),
    plain("workers", |s, v| v.count().map(|it| s.workers = it)),
    plain("shutdown_grace", |s, v| v.duration(SignedDuration::ZERO).map(|it| s.shutdown_grace = it)),
];

/// Settings of `[github]`.
pub(super) const GITHUB: &[Key<Github>] = &[
    plain("app_id", |s, v| v.number().map(|it| s.app_id = it)),
    plain("private_key_file", |s, v| v.path().map(|it| s.private_key_file = it)),
    Key {
        name: "private_key",
        secret: true,
        environment_only: true,
        set: |s, v| v.secret().map(|it| s.private_key = Some(it)),
    },
    secret("webhook_secrets", |s, v| v.secrets().map(|it| s.webhook_secrets = it)),
    plain("client_id", |s, v| v.text().map(|it| it.trim().clone_into(&mut s.client_id))),
    secret("client_secret", |s, v| v.optional_secret().map(|it| s.client_secret = it)),
    plain("api_url", |s, v| v.web_address().map(|it| s.api_url = it)),
    plain("web_url", |s, v| v.web_address().map(|it| s.web_url = it)),
    plain("rate_limits", |s, v| v.flag().map(|it| s.rate_limits = it)),
];

/// Settings of `[alerts.NAME]`.
pub(super) const ALERT: &[Key<alert::Draft>] = &[
    plain("kind", |s, v| v.one_of(&AlertKind::ALL).map(|it| s.connection.kind = it)),
    plain("type", |s, v| v.one_of(&AlertType::ALL).map(|it| s.connection.r#type = it)),
    secret("secrets", |s, v| v.secrets().map(|it| s.connection.secrets = it)),
    plain("repositories", |s, v| alert::repositories(v.list()?).map(|it| s.connection.repositories = it)),
    plain("signature_header", |s, v| alert::header(&v.text()?).map(|it| s.connection.signature_header = it)),
    plain("token_header", |s, v| alert::header(&v.text()?).map(|it| s.connection.token_header = it)),
    plain("timestamp_header", |s, v| alert::header(&v.text()?).map(|it| s.connection.timestamp_header = it)),
    plain("routes", |s, v| alert::routes(v).map(|it| s.connection.routes = it)),
    plain("heartbeat", |s, v| v.duration_or_none(LEAST_HEARTBEAT).map(|it| s.connection.heartbeat = it)),
    plain("heartbeat_match", |s, v| alert::labels(v).map(|it| s.connection.heartbeat_match = it)),
    plain("template", |s, v| v.path().map(|it| s.connection.template = it)),
    plain("firing", |s, v| v.list().map(|it| s.connection.firing = it)),
    plain("resolved", |s, v| v.list().map(|it| s.connection.resolved = it)),
    plain("organization", |s, v| v.text().map(|it| it.trim().clone_into(&mut s.connection.organization))),
    plain("database", |s, v| v.text().map(|it| it.trim().clone_into(&mut s.connection.database))),
    plain("service_token_id", |s, v| v.text().map(|it| it.trim().clone_into(&mut s.connection.service_token_id))),
    secret("service_token", |s, v| v.optional_secret().map(|it| s.connection.service_token = it)),
    plain("api_url", |s, v| v.web_address().map(|it| s.connection.api_url = it)),
];

/// Settings of `fields` in `[alerts.NAME]`.
pub(super) const FIELDS: &[Key<AlertFields>] = &[
    plain("key", |s, v| alert::pointer(v.text()?).map(|it| s.key = it)),
    plain("status", |s, v| alert::pointer(v.text()?).map(|it| s.status = it)),
    plain("title", |s, v| alert::pointer(v.text()?).map(|it| s.title = it)),
    plain("text", |s, v| alert::pointer(v.text()?).map(|it| s.text = it)),
    plain("url", |s, v| alert::pointer(v.text()?).map(|it| s.url = it)),
    plain("started_at", |s, v| alert::pointer(v.text()?).map(|it| s.started_at = it)),
    plain("labels", |s, v| alert::pointer(v.text()?).map(|it| s.labels = it)),
];

/// Settings of `[events.NAME]`.
pub(super) const EVENT: &[Key<event::Draft>] = &[
    plain("kind", |s, v| v.one_of(&EventKind::ALL).map(|it| s.connection.kind = it)),
    secret("secrets", |s, v| v.secrets().map(|it| s.connection.secrets = it)),
    plain("repositories", |s, v| alert::repositories(v.list()?).map(|it| s.connection.repositories = it)),
    plain("signature_header", |s, v| alert::header(&v.text()?).map(|it| s.connection.signature_header = it)),
    plain("environments", |s, v| event::globs(v.list()?).map(|it| s.connection.environments = it)),
    plain("github", |s, v| v.flag().map(|it| s.connection.github = it)),
    plain("in_progress", |s, v| v.list().map(|it| s.connection.in_progress = it)),
    plain("success", |s, v| v.list().map(|it| s.connection.success = it)),
    plain("failure", |s, v| v.list().map(|it| s.connection.failure = it)),
    plain("removed", |s, v| v.list().map(|it| s.connection.removed = it)),
];

/// Settings of `[verdicts.NAME]`.
pub(super) const VERDICT: &[Key<verdict::Draft>] = &[
    secret("secrets", |s, v| verdict::secrets(v.secrets()?).map(|it| s.connection.secrets = it)),
    plain("repositories", |s, v| alert::repositories(v.list()?).map(|it| s.connection.repositories = it)),
];

/// Settings of `[notices.NAME]`.
pub(super) const NOTICE: &[Key<notice::Draft>] = &[
    plain("kind", |s, v| v.one_of(&NoticeTargetKind::ALL).map(|it| s.target.kind = it)),
    secret("url", |s, v| notice::address(&v.text()?).map(|it| s.target.url = it)),
    secret("secrets", |s, v| verdict::secrets(v.secrets()?).map(|it| s.target.secrets = it)),
    secret("token", |s, v| v.optional_secret().map(|it| s.target.token = it)),
    plain("channel", |s, v| notice::channel(&v.text()?).map(|it| s.target.channel = it)),
    plain("api_url", |s, v| v.web_address().map(|it| s.target.api_url = it)),
    plain("repositories", |s, v| alert::repositories(v.list()?).map(|it| s.target.repositories = it)),
];

/// Settings of `fields` in `[events.NAME]`.
pub(super) const EVENT_FIELDS: &[Key<EventFields>] = &[
    plain("key", |s, v| alert::pointer(v.text()?).map(|it| s.key = it)),
    plain("repository", |s, v| alert::pointer(v.text()?).map(|it| s.repository = it)),
    plain("commit", |s, v| alert::pointer(v.text()?).map(|it| s.commit = it)),
    plain("environment", |s, v| alert::pointer(v.text()?).map(|it| s.environment = it)),
    plain("state", |s, v| alert::pointer(v.text()?).map(|it| s.state = it)),
    plain("at", |s, v| alert::pointer(v.text()?).map(|it| s.at = it)),
];

/// Top-level sections that hold settings.
const SECTIONS: [&str; 6] = ["github", "alerts", "events", "verdicts", "notices", "forge"];

/// Reason for which a setting was not set.
pub(super) enum Refused {
    /// No setting has this name; with the full name of the nearest one.
    Unknown(Option<String>),
    /// A section's name, or a name inside one, is not allowed.
    Section(String),
    /// The value is invalid.
    Value(String),
}

/// Returns whether a table under this name holds settings, rather than the value of one.
pub(super) fn is_section(path: &[&str]) -> bool {
    match path {
        [section] => SECTIONS.contains(section),
        ["alerts" | "events" | "verdicts" | "notices" | "forge", _] | ["alerts" | "events", _, "fields"] => true,
        _ => false,
    }
}

/// Returns why no setting under `path` can be used, whatever its name.
pub(super) fn section_problem(path: &[&str]) -> Option<&'static str> {
    match path {
        ["forge", ..] => {
            Some("only the forge [github] can be configured at present; [forge.NAME] is kept for later versions")
        }
        ["notices", name, ..] if !alert::is_name(name) => {
            Some("a target's name may have lower-case letters, digits, - and _, at most 40 of them")
        }
        ["alerts" | "events" | "verdicts", name, ..] if !alert::is_name(name) => {
            Some("a connection's name may have lower-case letters, digits, - and _, at most 40 of them")
        }
        _ => None,
    }
}

/// Creates a section, even if nothing in it is set.
pub(super) fn open(draft: &mut Draft, path: &[&str]) -> Result<(), Refused> {
    if let Some(problem) = section_problem(path) {
        return Err(Refused::Section(problem.to_owned()));
    }
    match path {
        ["alerts", name, ..] => drop(draft.alerts.entry((*name).to_owned()).or_default()),
        ["events", name, ..] => drop(draft.events.entry((*name).to_owned()).or_default()),
        ["notices", name, ..] => drop(draft.notices.entry((*name).to_owned()).or_default()),
        ["verdicts", name, ..] => drop(draft.verdicts.entry((*name).to_owned()).or_default()),
        _ => {}
    }
    Ok(())
}

/// Returns whether the setting with this name is a secret; `None` if there is no such setting.
pub(super) fn is_secret(path: &[&str]) -> Option<bool> {
    match path {
        [name] => find(ROOT, name).map(|key| key.secret),
        ["github", name] => find(GITHUB, name).map(|key| key.secret),
        ["alerts", _, name] => find(ALERT, name).map(|key| key.secret),
        ["alerts", _, "fields", name] => find(FIELDS, name).map(|key| key.secret),
        ["events", _, name] => find(EVENT, name).map(|key| key.secret),
        ["events", _, "fields", name] => find(EVENT_FIELDS, name).map(|key| key.secret),
        ["verdicts", _, name] => find(VERDICT, name).map(|key| key.secret),
        ["notices", _, name] => find(NOTICE, name).map(|key| key.secret),
        _ => None,
    }
}

/// Sets a setting.
pub(super) fn set(draft: &mut Draft, path: &[&str], value: &Given<'_>) -> Result<(), Refused> {
    if is_secret(path).is_none() {
        return Err(Refused::Unknown(suggest(path)));
    }
    open(draft, path)?;
    match path {
        [name] => apply(ROOT, name, &mut draft.settings, value),
        ["github", name] => apply(GITHUB, name, &mut draft.settings.github, value),
        ["alerts", connection, rest @ ..] => {
            let alert = draft.alerts.entry((*connection).to_owned()).or_default();
            alert.given.insert(rest[0].to_owned());
            match rest {
                ["fields", name] => apply(FIELDS, name, &mut alert.connection.fields, value),
                [name] => apply(ALERT, name, alert, value),
                _ => Err(Refused::Unknown(None)),
            }
        }
        ["events", connection, rest @ ..] => {
            let event = draft.events.entry((*connection).to_owned()).or_default();
            event.given.insert(rest[0].to_owned());
            match rest {
                ["fields", name] => apply(EVENT_FIELDS, name, &mut event.connection.fields, value),
                [name] => apply(EVENT, name, event, value),
                _ => Err(Refused::Unknown(None)),
            }
        }
        ["verdicts", connection, name] => {
            let verdict = draft.verdicts.entry((*connection).to_owned()).or_default();
            verdict.given.insert((*name).to_owned());
            apply(VERDICT, name, verdict, value)
        }
        ["notices", target, name] => {
            let notice = draft.notices.entry((*target).to_owned()).or_default();
            notice.given.insert((*name).to_owned());
            apply(NOTICE, name, notice, value)
        }
        _ => Err(Refused::Unknown(None)),
    }
}

/// Returns the full name of every setting, with the connections that `path` names.
pub(super) fn names(path: &[&str]) -> Vec<String> {
    let connection = match path {
        ["alerts" | "events" | "verdicts" | "notices", name, ..] => name,
        _ => "NAME",
    };
    let root = ROOT.iter().map(|key| key.name.to_owned());
    let github = GITHUB.iter().map(|key| format!("github.{}", key.name));
    let alert = ALERT.iter().map(|key| format!("alerts.{connection}.{}", key.name));
    let fields = FIELDS.iter().map(|key| format!("alerts.{connection}.fields.{}", key.name));
    let event = EVENT.iter().map(|key| format!("events.{connection}.{}", key.name));
    let event_fields = EVENT_FIELDS.iter().map(|key| format!("events.{connection}.fields.{}", key.name));
    let verdict = VERDICT.iter().map(|key| format!("verdicts.{connection}.{}", key.name));
    let notice = NOTICE.iter().map(|key| format!("notices.{connection}.{}", key.name));
    let events = event.chain(event_fields);
    root.chain(github).chain(alert).chain(fields).chain(events).chain(verdict).chain(notice).collect()
}

fn suggest(path: &[&str]) -> Option<String> {
    let mut candidates = names(path);
    if path.len() == 1 {
        candidates.extend(SECTIONS.map(str::to_owned));
    }
    nearest(&path.join("."), candidates)
}

fn find<'k, T>(keys: &'k [Key<T>], name: &str) -> Option<&'k Key<T>> {
    keys.iter().find(|key| key.name == name)
}

fn apply<T>(keys: &[Key<T>], name: &str, section: &mut T, value: &Given<'_>) -> Result<(), Refused> {
    let key = find(keys, name).ok_or(Refused::Unknown(None))?;
    if key.environment_only && matches!(value, Given::Toml(_)) {
        return Err(Refused::Value(
            "belongs into the environment, or into a file that private_key_file names".to_owned(),
        ));
    }
    (key.set)(section, value).map_err(Refused::Value)
}
