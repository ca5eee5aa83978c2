//! The API's routes, and their lookup.

mod actions;
#[expect(clippy::unnecessary_wraps, reason = "all handlers have one type")]
mod app;
mod checks;
mod commits;
mod deployments;
#[expect(clippy::unnecessary_wraps, reason = "all handlers have one type")]
mod graphql;
mod graphql_item;
mod graphql_lists;
mod issues;
mod labels;
mod people;
mod query;
mod releases;
mod reply;
mod repository;
mod reviews;
mod rules;
#[expect(clippy::unnecessary_wraps, reason = "all handlers have one type")]
mod user;

pub(super) use reply::Reply;

use jiff::Timestamp;
use serde_json::Value;

use super::{SimError, state::State};

/// Required authentication.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Auth {
    /// The App, by its JSON Web Token.
    App,
    /// An installation, by its token.
    Installation,
    /// A person, by a user access token.
    User,
    /// None.
    Open,
}

/// Arguments of a handler.
pub(super) struct Call {
    /// Values of the template's parameters.
    pub(super) params: Vec<(String, String)>,
    /// Query parameters.
    pub(super) query: Vec<(String, String)>,
    /// The body; null if there is none.
    pub(super) body: Value,
    /// Id of the repository in the path, once it is found.
    pub(super) repo: u64,
    /// The installation that sent the request.
    pub(super) installation: u64,
    /// Login of the person whose token sent it; empty: none.
    pub(super) person: String,
    /// The path below the API's root with the repository's id, for links to further pages.
    pub(super) link: String,
    /// Omits the newest element of a list, if it was created after this time.
    pub(super) stale: Option<Timestamp>,
}

impl Call {
    /// Returns a parameter of the path.
    pub(super) fn param(&self, name: &str) -> &str {
        find(&self.params, name).unwrap_or("")
    }

    /// Returns a numeric parameter of the path; otherwise 404.
    pub(super) fn number(&self, name: &str) -> Result<u64, Reply> {
        self.param(name).parse().map_err(|_| Reply::not_found())
    }

    /// Returns a query parameter.
    pub(super) fn query(&self, name: &str) -> Option<&str> {
        find(&self.query, name)
    }

    /// Returns a text field of the body.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.body.get(name).and_then(Value::as_str)
    }

    /// Returns a required text field of the body; otherwise 422.
    pub(super) fn required(&self, resource: &str, name: &str) -> Result<&str, Reply> {
        self.text(name).filter(|t| !t.is_empty()).ok_or_else(|| Reply::invalid(resource, name, "missing_field"))
    }

    /// Returns a boolean field of the body.
    pub(super) fn flag(&self, name: &str) -> Option<bool> {
        self.body.get(name).and_then(Value::as_bool)
    }
}

fn find<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    pairs.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
}

type Handler = fn(&mut State, &Call) -> Result<Reply, Reply>;

/// A route.
pub(super) struct Route {
    pub(super) method: &'static str,
    /// Template as in GitHub's description.
    pub(super) template: &'static str,
    pub(super) auth: Auth,
    /// Permissions, as `name:read` or `name:write`, of which the App needs any one.
    pub(super) permissions: &'static [&'static str],
    /// Whether it creates content that notifies people, which has its own limit. GitHub lists no
    /// such requests; a reaction notifies nobody, and GitHub's own client
    /// (`@octokit/plugin-throttling`) does not count it.
    pub(super) creates: bool,
    pub(super) handle: Handler,
}

impl Route {
    const fn app(method: &'static str, template: &'static str, handle: Handler) -> Self {
        Self { method, template, auth: Auth::App, permissions: &[], creates: false, handle }
    }

    const fn open(method: &'static str, template: &'static str, handle: Handler) -> Self {
        Self { method, template, auth: Auth::Open, permissions: &[], creates: false, handle }
    }

    const fn user(method: &'static str, template: &'static str, handle: Handler) -> Self {
        Self { method, template, auth: Auth::User, permissions: &[], creates: false, handle }
    }

    const fn new(
        method: &'static str,
        template: &'static str,
        permissions: &'static [&'static str],
        handle: Handler,
    ) -> Self {
        Self { method, template, auth: Auth::Installation, permissions, creates: false, handle }
    }

    const fn content(template: &'static str, permissions: &'static [&'static str], handle: Handler) -> Self {
        Self { method: "POST", template, auth: Auth::Installation, permissions, creates: true, handle }
    }
}

/// Returns all routes, in the order in which they are tried.
fn tables() -> [&'static [Route]; 14] {
    [
        app::ROUTES,
        user::ROUTES,
        repository::ROUTES,
        rules::ROUTES,
        labels::ROUTES,
        issues::ROUTES,
        reviews::ROUTES,
        people::ROUTES,
        checks::ROUTES,
        commits::ROUTES,
        deployments::ROUTES,
        releases::ROUTES,
        actions::ROUTES,
        graphql::ROUTES,
    ]
}

/// Returns every route as `METHOD /template`.
pub(super) fn names() -> Vec<String> {
    tables().into_iter().flatten().map(|r| format!("{} {}", r.method, r.template)).collect()
}

/// Finds a route, and the values of its parameters.
pub(super) fn find_route(method: &str, path: &str) -> Option<(&'static Route, Vec<(String, String)>)> {
    let segments: Vec<String> = path.split('/').skip(1).map(unescape).collect();
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    tables().into_iter().flatten().filter(|r| r.method == method).find_map(|route| {
        let template: Vec<&str> = route.template.split('/').skip(1).collect();
        let mut params = Vec::new();
        fits(&template, &segments, &mut params).then_some((route, params))
    })
}

/// Parameters that may contain unescaped slashes; in others, slashes must be escaped.
const LONG: [&str; 4] = ["{ref}", "{path}", "{branch}", "{basehead}"];

fn fits(template: &[&str], path: &[&str], params: &mut Vec<(String, String)>) -> bool {
    let Some((first, rest)) = template.split_first() else { return path.is_empty() };
    let Some(name) = first.strip_prefix('{').and_then(|n| n.strip_suffix('}')) else {
        return path.first() == Some(first) && fits(rest, &path[1..], params);
    };
    let most = if LONG.contains(first) { path.len() } else { path.len().min(1) };
    for length in (1..=most).rev() {
        let known = params.len();
        params.push((name.to_owned(), path[..length].join("/")));
        if fits(rest, &path[length..], params) {
            return true;
        }
        params.truncate(known);
    }
    false
}

/// Decodes `%2F` and similar escapes.
pub(super) fn unescape(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let escaped = text.get(at + 1..at + 3).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match (bytes[at], escaped) {
            (b'%', Some(byte)) => {
                out.push(byte);
                at += 3;
            }
            (byte, _) => {
                out.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Turns an error of a change into its answer.
impl From<SimError> for Reply {
    fn from(error: SimError) -> Self {
        match error {
            SimError::Refused(why) => Self::invalid_message(&why),
            _ => Self::not_found(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_routes() {
        let found = |method, path| find_route(method, path).map(|(r, p)| (r.template, p.last().cloned().unwrap().1));
        assert_eq!(
            found("GET", "/repos/a/b/commits/tags/v1/status"),
            Some(("/repos/{owner}/{repo}/commits/{ref}/status", "tags/v1".to_owned()))
        );
        assert_eq!(
            found("DELETE", "/repos/a/b/issues/1/labels/phase%2Fplan"),
            Some(("/repos/{owner}/{repo}/issues/{issue_number}/labels/{name}", "phase/plan".to_owned()))
        );
        assert_eq!(found("DELETE", "/repos/a/b/issues/1/labels/phase/plan"), None);
    }
}
