//! Reads CDEvents (cdevents.dev): `service.deployed`, `service.upgraded`, `service.rolledback` and
//! `service.removed` of any version.
//!
//! The CDEvent is the body of a CloudEvent in binary mode, or its `data` in structured mode. The
//! commit is in `customData.commit`, or in the package URL that is the artifact's id: as the version
//! of `pkg:github/OWNER/NAME@COMMIT`, or in the qualifier `vcs_url`.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use percent_encoding::percent_decode_str;
use serde_json::Value;

use crate::{
    domain::event::{ExternalDeployment, ExternalState},
    external::Found,
    sender::json,
};

/// Prefix of the types of events about services.
const SERVICE: &str = "dev.cdevents.service.";

/// Returns what a message reports. `Err`: why it reports no deployment.
pub(super) fn read(connection: &str, payload: &Value) -> Result<Found, String> {
    let decoded;
    let event = match (payload.get("data"), payload.get("data_base64")) {
        (Some(data), _) if payload.get("specversion").is_some() => data,
        (None, Some(data)) if payload.get("specversion").is_some() => {
            decoded = base64_data(data).ok_or("its data_base64 is not JSON")?;
            &decoded
        }
        _ => payload,
    };
    let text = |pointer: &str| json::text(event.pointer(pointer));
    let name = text("/context/type").ok_or("it is no CDEvent: context.type is missing")?;
    let predicate = name.strip_prefix(SERVICE).and_then(|rest| rest.split('.').next());
    let state = match predicate {
        Some("deployed" | "upgraded" | "rolledback") => ExternalState::Success,
        Some("removed") => ExternalState::Removed,
        _ => return Err(format!("{name}: no event about a deployed service")),
    };
    let environment = text("/subject/content/environment/id").ok_or("it names no environment")?;
    let id = text("/context/id").ok_or("context.id is missing")?;
    let source = text("/context/source").unwrap_or_default();
    let at = json::moment(event.pointer("/context/timestamp")).ok_or("context.timestamp is no time")?;
    let artifact = text("/subject/content/artifactId").map(|id| Artifact::parse(&id)).unwrap_or_default();
    let custom = |name: &str| json::text(event.get("customData").and_then(|data| data.get(name)));
    let commit = custom("commit").or(artifact.commit);
    if commit.is_none() && state != ExternalState::Removed {
        return Err("neither customData.commit nor its artifactId names a commit".to_owned());
    }
    let deployment = ExternalDeployment {
        connection: connection.to_owned(),
        // A CloudEvent's id is unique for its source.
        key: format!("{source} {id}"),
        commit,
        environment,
        state,
        at,
        mirrored: false,
    };
    Ok(Found { repository: custom("repository").or(artifact.repository), deployment: Some(deployment) })
}

fn base64_data(data: &Value) -> Option<Value> {
    serde_json::from_slice(&BASE64_STANDARD.decode(data.as_str()?).ok()?).ok()
}

/// A package URL's statement about an artifact's sources.
#[derive(Debug, Default, PartialEq, Eq)]
struct Artifact {
    repository: Option<String>,
    commit: Option<String>,
}

impl Artifact {
    /// Parses a package URL, `pkg:TYPE/NAMESPACE/NAME@VERSION?QUALIFIERS#SUBPATH`.
    fn parse(id: &str) -> Self {
        let decode = |text: &str| percent_decode_str(text).decode_utf8().ok().map(std::borrow::Cow::into_owned);
        let Some(rest) = id.strip_prefix("pkg:") else { return Self::default() };
        let rest = rest.split('#').next().unwrap_or(rest);
        let (path, qualifiers) = rest.split_once('?').unwrap_or((rest, ""));
        let mut qualifiers = qualifiers.split('&').filter_map(|pair| pair.split_once('='));
        if let Some(url) = qualifiers.find(|(name, _)| *name == "vcs_url").and_then(|(_, value)| decode(value)) {
            return Self::of_url(&url);
        }
        let Some((name, version)) = path.strip_prefix("github/").and_then(|path| path.split_once('@')) else {
            return Self::default();
        };
        Self { repository: decode(name), commit: decode(version) }
    }

    /// Parses a version control URL, `git+https://HOST/OWNER/NAME.git@COMMIT`.
    fn of_url(url: &str) -> Self {
        let Some((address, commit)) = url.rsplit_once('@') else { return Self::default() };
        let path = address.split_once("://").map_or(address, |(_, rest)| rest);
        let mut parts = path.trim_end_matches('/').rsplit('/');
        let name = parts.next().map(|name| name.strip_suffix(".git").unwrap_or(name));
        let repository = name.zip(parts.next()).map(|(name, owner)| format!("{owner}/{name}"));
        Self { repository, commit: Some(commit.to_owned()) }
    }
}

#[cfg(test)]
mod tests {
    use super::Artifact;

    fn parsed(id: &str) -> (Option<String>, Option<String>) {
        let artifact = Artifact::parse(id);
        (artifact.repository, artifact.commit)
    }

    #[test]
    fn a_package_url_names_repository_and_commit() {
        let both = |repository: &str, commit: &str| (Some(repository.to_owned()), Some(commit.to_owned()));
        assert_eq!(parsed("pkg:github/acme/shop@8f3a"), both("acme/shop", "8f3a"));
        assert_eq!(parsed("pkg:github/acme/shop@v1%2E2?a=b#sub"), both("acme/shop", "v1.2"));
        let oci = "pkg:oci/shop@sha256%3A12?vcs_url=git%2Bhttps%3A%2F%2Fgithub.com%2Facme%2Fshop.git%408f3a&arch=amd64";
        assert_eq!(parsed(oci), both("acme/shop", "8f3a"));
        for silent in ["pkg:oci/shop@sha256%3A12", "shop:1.2", "", "pkg:", "pkg:github/acme", "pkg:oci/x?vcs_url=%FF"] {
            assert_eq!(parsed(silent), (None, None), "{silent}");
        }
    }
}
