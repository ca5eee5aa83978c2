//! The manifest of an App, and what GitHub requires of it.
//!
//! <https://docs.github.com/apps/sharing-github-apps/registering-a-github-app-from-a-manifest>

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;

/// A registered App whose credentials were not fetched yet.
pub(super) struct Registration {
    pub(super) manifest: Manifest,
    pub(super) name: String,
    pub(super) owner: String,
    pub(super) at: Timestamp,
}

/// An App manifest, as far as it matters here. GitHub rejects unknown keys as well.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Manifest {
    pub(super) name: Option<String>,
    pub(super) url: String,
    pub(super) hook_attributes: Option<HookAttributes>,
    pub(super) redirect_url: Option<String>,
    #[serde(default)]
    pub(super) callback_urls: Vec<String>,
    #[serde(default, rename = "description")]
    _description: String,
    #[serde(default, rename = "public")]
    _public: bool,
    #[serde(default)]
    pub(super) default_permissions: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) default_events: Vec<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HookAttributes {
    pub(super) url: String,
    #[serde(default, rename = "active")]
    _active: bool,
}

impl Manifest {
    /// Parses a manifest, and rejects what GitHub rejects.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let manifest: Self = serde_json::from_str(text).map_err(|error| format!("Error {error}"))?;
        if !is_web(&manifest.url) {
            return Err("Error Url must be a valid URL".to_owned());
        }
        if manifest.redirect_url.as_deref().is_some_and(|url| !is_web(url)) {
            return Err("Error Redirect url must be a valid URL".to_owned());
        }
        if let Some(hook) = &manifest.hook_attributes {
            if !is_web(&hook.url) {
                return Err("Error Hook url must be a valid URL".to_owned());
            }
            let host = hook.url.split('/').nth(2).unwrap_or("");
            if host.starts_with("localhost") || host.starts_with("127.") || host.starts_with("[::1]") {
                return Err(
                    "Error Hook url is not supported because it isn't reachable over the public Internet (localhost)"
                        .to_owned(),
                );
            }
        }
        if let Some(level) =
            manifest.default_permissions.values().find(|l| !["read", "write", "admin"].contains(&l.as_str()))
        {
            return Err(format!("Error Default permission level {level} is not supported"));
        }
        for event in &manifest.default_events {
            let needs = permission_of(event).ok_or_else(|| format!("Error Default events unsupported: {event}"))?;
            if !needs.is_empty() && !needs.iter().any(|p| manifest.default_permissions.contains_key(*p)) {
                return Err(format!("Error Default events are not supported by permissions: {event}"));
            }
        }
        Ok(manifest)
    }
}

/// Returns the permissions of which an App needs one to receive an event; `None` if the event is
/// not supported. <https://docs.github.com/webhooks/webhook-events-and-payloads>
fn permission_of(event: &str) -> Option<&'static [&'static str]> {
    Some(match event {
        "check_run" | "check_suite" => &["checks"],
        "create" | "delete" | "push" | "release" => &["contents"],
        "deployment" | "deployment_status" | "deployment_protection_rule" => &["deployments"],
        "deployment_review" | "workflow_job" | "workflow_run" => &["actions"],
        "issue_comment" | "issues" => &["issues", "pull_requests"],
        "label" | "milestone" | "repository" => &["metadata"],
        "merge_group" => &["merge_queues"],
        "pull_request" | "pull_request_review" => &["pull_requests"],
        "status" => &["statuses"],
        _ => return None,
    })
}

fn is_web(url: &str) -> bool {
    url.strip_prefix("https://").or_else(|| url.strip_prefix("http://")).is_some_and(|rest| !rest.is_empty())
}
