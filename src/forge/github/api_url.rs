//! Base address of a GitHub instance's API, and checks of whether an address belongs to it.

use http::Uri;

/// Root of an API: `https://api.github.com`, or `https://HOST/api/v3` on GitHub Enterprise Server.
#[derive(Debug, Clone)]
pub(super) struct Root {
    scheme: String,
    host: String,
    port: u16,
    /// Path prefix of every route; empty or without a trailing slash.
    prefix: String,
}

impl Root {
    /// Parses the setting `api_url`.
    pub(super) fn parse(api_url: &str) -> Result<Self, String> {
        let uri: Uri = api_url.parse().map_err(|error| format!("{error}"))?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err("it needs a scheme and a host, as in https://api.github.com".to_owned());
        };
        if authority.as_str().contains('@') || uri.query().is_some() {
            return Err("it must hold no user name, password or query".to_owned());
        }
        let port = port(&uri).ok_or_else(|| format!("the scheme {scheme} is not http or https"))?;
        Ok(Self {
            scheme: scheme.to_owned(),
            host: authority.host().to_ascii_lowercase(),
            port,
            prefix: uri.path().trim_end_matches('/').to_owned(),
        })
    }

    /// Returns scheme, host and port.
    pub(super) fn origin(&self) -> String {
        format!("{}://{}:{}", self.scheme, self.host, self.port)
    }

    /// Returns the path of a REST route such as `/app`.
    pub(super) fn rest(&self, route: &str) -> String {
        format!("{}{route}", self.prefix)
    }

    /// Returns the path of GraphQL: next to REST on github.com, `/api/graphql` on GitHub Enterprise
    /// Server.
    pub(super) fn graphql(&self) -> String {
        match self.prefix.strip_suffix("/v3") {
            Some(api) => format!("{api}/graphql"),
            None => format!("{}/graphql", self.prefix),
        }
    }

    /// Returns the path and query of a `Location`; `None` if it leads outside this API.
    pub(super) fn local(&self, location: &str) -> Option<String> {
        let uri: Uri = location.parse().ok()?;
        if let Some(authority) = uri.authority() {
            let same = uri.scheme_str() == Some(self.scheme.as_str())
                && authority.host().eq_ignore_ascii_case(&self.host)
                && port(&uri) == Some(self.port)
                && !authority.as_str().contains('@');
            if !same {
                return None;
            }
        }
        let path = uri.path_and_query()?.as_str();
        // Some clients read `//host/…` as another host.
        let inside = path.strip_prefix(self.prefix.as_str())?;
        (inside.starts_with('/') && !inside.starts_with("//")).then(|| path.to_owned())
    }

    /// Returns the repository's id if `path` has the form `/repositories/{id}/…`.
    pub(super) fn repository_id(&self, path: &str) -> Option<u64> {
        let rest = path.strip_prefix(self.prefix.as_str())?.strip_prefix("/repositories/")?;
        rest.split(['/', '?']).next()?.parse().ok()
    }

    /// Returns the repository's `owner/name` if `path` has the form `/repos/{owner}/{repo}/…`.
    pub(super) fn repository_name(&self, path: &str) -> Option<String> {
        let rest = path.strip_prefix(self.prefix.as_str())?.strip_prefix("/repos/")?;
        let mut parts = rest.split(['/', '?']);
        let (owner, name) = (parts.next()?, parts.next()?);
        (!owner.is_empty() && !name.is_empty()).then(|| format!("{owner}/{name}"))
    }
}

fn port(uri: &Uri) -> Option<u16> {
    let usual = match uri.scheme_str()? {
        "https" => 443,
        "http" => 80,
        _ => return None,
    };
    Some(uri.port_u16().unwrap_or(usual))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn enterprise_servers_have_their_own_paths() {
        let cloud = Root::parse("https://api.github.com").unwrap();
        assert_eq!(cloud.rest("/app"), "/app");
        assert_eq!(cloud.graphql(), "/graphql");
        let server = Root::parse("https://ghe.example:8443/api/v3/").unwrap();
        assert_eq!(server.origin(), "https://ghe.example:8443");
        assert_eq!(server.rest("/app"), "/api/v3/app");
        assert_eq!(server.graphql(), "/api/graphql");
    }

    #[test]
    fn only_our_own_origin_is_local() {
        let root = Root::parse("https://ghe.example/api/v3").unwrap();
        let ours = "/api/v3/repositories/7/issues?page=2";
        assert_eq!(root.local(ours).as_deref(), Some(ours));
        assert_eq!(root.local(&format!("https://ghe.example{ours}")).as_deref(), Some(ours));
        assert_eq!(root.local(&format!("https://GHE.example:443{ours}")).as_deref(), Some(ours));
        for other in [
            "http://ghe.example/api/v3/x",
            "https://ghe.example:444/api/v3/x",
            "https://ghe.example.evil/api/v3/x",
            "https://user@ghe.example/api/v3/x",
            "https://ghe.example/elsewhere",
            "https://ghe.example/api/v3evil",
            "//evil.example/api/v3/x",
            "",
        ] {
            assert_eq!(root.local(other), None, "{other}");
        }
    }

    #[test]
    fn a_setting_that_is_no_api_is_refused() {
        for url in ["", "api.github.com", "ftp://x", "https://u:p@x", "https://x/?y"] {
            assert!(Root::parse(url).is_err(), "{url:?}");
        }
    }

    #[test]
    fn a_path_tells_its_repository() {
        let root = Root::parse("https://ghe.example/api/v3").unwrap();
        assert_eq!(root.repository_id("/api/v3/repositories/7/labels"), Some(7));
        assert_eq!(root.repository_id("/api/v3/repos/a/b"), None);
        assert_eq!(root.repository_name("/api/v3/repos/a/b/labels").as_deref(), Some("a/b"));
        assert_eq!(root.repository_name("/api/v3/repositories/7"), None);
    }
}
