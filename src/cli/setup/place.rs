//! Addresses of the GitHub instance and of phasebot.

use http::Uri;

use crate::{
    cli::{Failure, setup::Args},
    settings::Settings,
};

/// Addresses of the GitHub instance and of phasebot.
pub(super) struct Place {
    /// Root of the web pages, without a trailing slash.
    pub(super) web: String,
    /// Root of the API, without a trailing slash.
    pub(super) api: String,
    /// Public address of phasebot; `None` if GitHub cannot reach it.
    pub(super) public: Option<String>,
    /// Public address of the web pages; `None` if people do not sign in to them.
    pub(super) pages: Option<String>,
}

impl Place {
    /// Returns the addresses in the arguments, or else those in the settings.
    pub(super) fn of(args: &Args, settings: &Settings) -> Result<Self, Failure> {
        let (web, api) = match &args.github_url {
            Some(url) => {
                let web = address("--github-url", url)?;
                let api = api_of(&web);
                (web, api)
            }
            None => (settings.github.web_url.clone(), settings.github.api_url.clone()),
        };
        if let Some(org) = &args.org {
            let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
            if org.is_empty() || !org.chars().all(fits) {
                return Err(Failure::Message(format!("--org: {org:?} is not the name of an organisation")));
            }
        }
        let public = match (&args.public_url, args.pull) {
            (_, true) => None,
            (Some(url), false) => Some(address("--public-url", url)?),
            (None, false) if !is_here(&settings.public_url) => Some(settings.public_url.clone()),
            (None, false) => {
                let help = "say how GitHub reaches this bot: --public-url https://YOUR-HOST\n\
                            without a public address use --pull: deliveries are then fetched by catch-up";
                return Err(Failure::Message(help.to_owned()));
            }
        };
        if let Some(url) = public.as_ref().filter(|url| is_here(url)) {
            return Err(Failure::Message(format!(
                "--public-url: GitHub can't reach {url}; without a public address use --pull"
            )));
        }
        let pages = args.web_url.as_ref().map(|url| address("--web-url", url)).transpose()?;
        if let Some(url) = pages.as_ref().filter(|url| !url.starts_with("https://") && !is_here(url)) {
            return Err(Failure::Message(format!(
                "--web-url: browsers keep nobody signed in at {url}; put a TLS proxy in front of the pages, and use its https address"
            )));
        }
        Ok(Self { web, api, public, pages })
    }

    /// Returns the address of the page for registering a new App.
    pub(super) fn new_app(&self, org: Option<&str>) -> String {
        match org {
            Some(org) => format!("{}/organizations/{org}/settings/apps/new", self.web),
            None => format!("{}/settings/apps/new", self.web),
        }
    }
}

/// Returns the API address of an instance, as in
/// <https://docs.github.com/enterprise-server/rest/using-the-rest-api/getting-started-with-the-rest-api>,
/// and for GHE.com
/// <https://docs.github.com/enterprise-cloud@latest/admin/data-residency/network-details-for-ghecom>.
fn api_of(web: &str) -> String {
    let (scheme, host) = web.split_once("://").unwrap_or(("https", web));
    if host.eq_ignore_ascii_case("github.com") || host.to_ascii_lowercase().ends_with(".ghe.com") {
        format!("{scheme}://api.{host}")
    } else {
        format!("{web}/api/v3")
    }
}

/// Validates an absolute web address without path, query or user name.
fn address(argument: &str, text: &str) -> Result<String, Failure> {
    let wrong = || Failure::Message(format!("{argument}: expected an address such as https://HOST, found {text:?}"));
    let text = text.trim_end_matches('/');
    let uri: Uri = text.parse().map_err(|_| wrong())?;
    let authority = uri.authority().filter(|authority| !authority.as_str().contains('@')).ok_or_else(wrong)?;
    let is_web = matches!(uri.scheme_str(), Some("https" | "http"));
    if !is_web || authority.host().is_empty() || uri.query().is_some() {
        return Err(wrong());
    }
    if argument == "--github-url" && !matches!(uri.path(), "" | "/") {
        return Err(wrong());
    }
    // The address goes unescaped into an environment file and a Content-Security-Policy.
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._~:/[]%".contains(c);
    if text.chars().all(plain) { Ok(text.to_owned()) } else { Err(wrong()) }
}

/// Returns whether an address belongs to this machine only and is unreachable from elsewhere.
pub(in crate::cli) fn is_here(url: &str) -> bool {
    let host = url.parse::<Uri>().ok().and_then(|uri| uri.host().map(str::to_ascii_lowercase)).unwrap_or_default();
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || host.ends_with(".localhost")
        || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback() || ip.is_unspecified())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_github_has_its_api() {
        assert_eq!(api_of("https://github.com"), "https://api.github.com");
        assert_eq!(api_of("https://acme.ghe.com"), "https://api.acme.ghe.com");
        assert_eq!(api_of("https://github.acme.example"), "https://github.acme.example/api/v3");
    }

    #[test]
    fn only_addresses_are_taken() {
        assert_eq!(address("--public-url", "https://bot.example/").unwrap(), "https://bot.example");
        assert_eq!(address("--public-url", "https://bot.example/under").unwrap(), "https://bot.example/under");
        for wrong in [
            "bot.example",
            "ftp://bot.example",
            "https://",
            "https://u:p@bot.example",
            "https://b/?q",
            "https://b/$(id)",
            "https://b/'x",
        ] {
            assert!(address("--public-url", wrong).is_err(), "{wrong}");
        }
        assert!(address("--github-url", "https://github.com/acme").is_err(), "an organisation goes to --org");
    }

    #[test]
    fn this_machine_is_told_from_others() {
        for here in
            ["http://127.0.0.1:8080", "http://localhost", "http://[::1]:1", "http://0.0.0.0:80", "http://a.localhost"]
        {
            assert!(is_here(here), "{here}");
        }
        for other in ["https://bot.example", "http://10.0.0.1", "http://localhost.example"] {
            assert!(!is_here(other), "{other}");
        }
    }
}
