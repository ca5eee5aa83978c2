//! Permissions and events that the App requests, by feature.
//!
//! `config/github-app.json` lists exactly those that labels and comments need.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use serde::{Deserialize, Serialize};

/// Manifest of the App without optional features.
const MANIFEST: &str = include_str!("../../../config/github-app.json");

/// Permissions that are optional: without one, phasebot misses some facts and everything else
/// works.
const OPTIONAL_PERMISSIONS: &[&str] = &["actions", "members", "merge_queues"];
/// Events that are optional in the same sense.
const OPTIONAL_EVENTS: &[&str] = &["check_suite", "label", "merge_group", "workflow_run"];

/// Access level of a permission.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Access {
    /// Read access.
    Read,
    /// Read and write access.
    Write,
    /// Full access.
    Admin,
}

/// Features of the App beyond labels and comments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Feature {
    /// Check runs, answers to deployment protection rules, publishing draft releases.
    Gates,
    /// Deployments and workflow runs.
    Deploys,
}

/// A set of permissions and events.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grants {
    /// Access levels by GitHub's name of the permission.
    pub permissions: BTreeMap<String, Access>,
    /// GitHub's names of the events.
    pub events: BTreeSet<String>,
}

impl Access {
    /// Returns GitHub's name of the level.
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Admin => "admin",
        }
    }

    /// Parses GitHub's name of a level.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Read, Self::Write, Self::Admin].into_iter().find(|access| access.name() == name)
    }
}

impl Feature {
    /// Returns what the feature needs in addition to [`Grants::base`].
    fn grants(self) -> Grants {
        match self {
            // Answering a protection rule takes both deployments and actions. Access to checks also
            // delivers the requests to re-run all checks.
            Self::Gates => Grants::of(
                &[
                    ("actions", Access::Write),
                    ("checks", Access::Write),
                    ("contents", Access::Write),
                    ("deployments", Access::Write),
                    ("members", Access::Read),
                ],
                &["check_suite", "deployment_protection_rule"],
            ),
            Self::Deploys => Grants::of(
                &[
                    ("actions", Access::Write),
                    ("checks", Access::Write),
                    ("deployments", Access::Write),
                    ("members", Access::Read),
                ],
                &["check_suite", "deployment_protection_rule"],
            ),
        }
    }
}

impl Grants {
    /// Creates a set from names.
    pub fn of(permissions: &[(&str, Access)], events: &[&str]) -> Self {
        Self {
            permissions: permissions.iter().map(|(name, access)| ((*name).to_owned(), *access)).collect(),
            events: events.iter().map(|name| (*name).to_owned()).collect(),
        }
    }

    /// Returns what labels and comments need.
    pub fn base() -> Self {
        // A test parses the file; if it were unreadable, nothing would be requested.
        let manifest: Manifest = serde_json::from_str(MANIFEST).unwrap_or_default();
        Self { permissions: manifest.default_permissions, events: manifest.default_events }
    }

    /// Returns what labels, comments and these features need.
    pub fn with(features: &[Feature]) -> Self {
        let mut all = Self::base();
        for feature in features {
            all.add(&feature.grants());
        }
        all
    }

    /// Parses GitHub's lists. An unknown access level grants nothing.
    pub fn held(permissions: &BTreeMap<String, String>, events: &[String]) -> Self {
        let known = |(name, access): (&String, &String)| Some((name.clone(), Access::from_name(access)?));
        Self { permissions: permissions.iter().filter_map(known).collect(), events: events.iter().cloned().collect() }
    }

    /// Adds another set; of two levels, the higher one counts.
    pub fn add(&mut self, other: &Self) {
        for (name, access) in &other.permissions {
            let mine = self.permissions.entry(name.clone()).or_insert(*access);
            *mine = (*mine).max(*access);
        }
        self.events.extend(other.events.iter().cloned());
    }

    /// Returns the part of this set that `held` lacks.
    #[must_use]
    pub fn beyond(&self, held: &Self) -> Self {
        let lacks = |(name, access): &(&String, &Access)| held.permissions.get(*name).is_none_or(|have| have < *access);
        Self {
            permissions: self.permissions.iter().filter(lacks).map(|(name, access)| (name.clone(), *access)).collect(),
            events: self.events.difference(&held.events).cloned().collect(),
        }
    }

    /// Splits the set into the necessary and the optional part, in this order.
    pub fn by_weight(self) -> (Self, Self) {
        // Write access is only requested where it is necessary.
        let light =
            |name: &String, access: Access| access == Access::Read && OPTIONAL_PERMISSIONS.contains(&name.as_str());
        let (optional, needed) = self.permissions.into_iter().partition(|(name, access)| light(name, *access));
        let (optional_events, needed_events) =
            self.events.into_iter().partition(|name| OPTIONAL_EVENTS.contains(&name.as_str()));
        (Self { permissions: needed, events: needed_events }, Self { permissions: optional, events: optional_events })
    }

    /// Returns whether the set is empty.
    pub fn is_empty(&self) -> bool {
        self.permissions.is_empty() && self.events.is_empty()
    }
}

/// Formats the set, as in `checks: write, members: read and the event release`.
impl fmt::Display for Grants {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let permissions: Vec<String> =
            self.permissions.iter().map(|(name, access)| format!("{name}: {}", access.name())).collect();
        let events: Vec<&str> = self.events.iter().map(String::as_str).collect();
        f.write_str(&permissions.join(", "))?;
        if events.is_empty() {
            return Ok(());
        }
        let and = if permissions.is_empty() { "" } else { " and " };
        write!(f, "{and}the event{} {}", if events.len() == 1 { "" } else { "s" }, events.join(", "))
    }
}

#[derive(Debug, Default, Deserialize)]
struct Manifest {
    default_permissions: BTreeMap<String, Access>,
    default_events: BTreeSet<String>,
}

/// Returns the manifest to register an App with, as JSON text. `hook_url` receives the webhook
/// deliveries; GitHub sends the browser back to `redirect_url`, and whoever signs in to
/// `callback_url`.
pub fn manifest(
    name: &str,
    hook_url: &str,
    redirect_url: &str,
    callback_url: Option<&str>,
    features: &[Feature],
) -> String {
    let mut manifest: serde_json::Value = serde_json::from_str(MANIFEST).unwrap_or_default();
    let grants = Grants::with(features);
    manifest["name"] = name.into();
    manifest["hook_attributes"]["url"] = hook_url.into();
    manifest["redirect_url"] = redirect_url.into();
    if let Some(url) = callback_url {
        manifest["callback_urls"] = vec![url].into();
    }
    manifest["default_permissions"] = grants
        .permissions
        .iter()
        .map(|(name, access)| (name.clone(), access.name().into()))
        .collect::<serde_json::Map<_, _>>()
        .into();
    manifest["default_events"] = grants.events.into_iter().collect();
    manifest.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manifest_asks_for_what_its_file_lists_and_no_more() {
        let base = Grants::base();
        assert!(base.permissions.len() > 5 && base.events.len() > 10);
        let writes: Vec<&String> =
            base.permissions.iter().filter(|(_, a)| **a != Access::Read).map(|(n, _)| n).collect();
        assert_eq!(writes, ["issues", "pull_requests"]);
        let made: serde_json::Value = serde_json::from_str(&manifest(
            "bot",
            "https://bot.example/webhooks/github",
            "http://127.0.0.1:1/callback",
            None,
            &[],
        ))
        .unwrap();
        let file: serde_json::Value = serde_json::from_str(MANIFEST).unwrap();
        assert_eq!(made["default_permissions"], file["default_permissions"]);
        assert_eq!(made["default_events"], file["default_events"]);
        assert_eq!(made["public"], false);
        assert_eq!(
            made["hook_attributes"],
            serde_json::json!({ "url": "https://bot.example/webhooks/github", "active": true })
        );
    }

    #[test]
    fn what_is_missing_is_named() {
        let held = Grants::of(&[("issues", Access::Write), ("checks", Access::Read)], &["push"]);
        let wanted = Grants::of(
            &[("issues", Access::Read), ("checks", Access::Write), ("members", Access::Read)],
            &["push", "release"],
        );
        let missing = wanted.beyond(&held);
        assert_eq!(missing.to_string(), "checks: write, members: read and the event release");
        let (needed, optional) = missing.by_weight();
        assert_eq!(needed.to_string(), "checks: write and the event release");
        assert_eq!(optional.to_string(), "members: read");
        assert!(wanted.beyond(&wanted).is_empty());
    }
}
