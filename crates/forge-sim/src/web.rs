//! The web pages on which people register an App from a manifest and install it. An account is
//! always signed in.

use http::StatusCode;

use super::{manifest::Manifest, route::unescape, state::State};

/// A page, or a redirect of the browser.
pub(super) enum Page {
    Html(StatusCode, String),
    Redirect(String),
    Json(serde_json::Value),
}

/// Returns the page at this address; `None` if there is none, although the API may have a route.
pub(super) fn page(state: &mut State, method: &str, path: &str, query: &str, body: &[u8]) -> Option<Page> {
    let segments: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let form = pairs(&String::from_utf8_lossy(body));
    let query = pairs(query);
    let signed_in = state.signed_in.clone();
    Some(match (method, segments.as_slice()) {
        ("POST", ["settings", "apps", "new"]) => new_app(&form, &query, &signed_in),
        ("POST", ["organizations", org, "settings", "apps", "new"]) => {
            if state.users.get(&org.to_ascii_lowercase()).is_some_and(|u| u.kind == "Organization") {
                new_app(&form, &query, org)
            } else {
                html(StatusCode::NOT_FOUND, "Not found", "<p>There is no such organization.</p>")
            }
        }
        ("POST", ["settings", "apps"]) => create_app(state, &form),
        ("GET", ["apps", slug, "installations", "new"]) if *slug == state.app.slug => choose(state, slug),
        ("POST", ["apps", slug, "installations", "new"]) if *slug == state.app.slug => install(state),
        ("GET", ["login", "oauth", "authorize"]) => match state.authorize(&query) {
            Ok(to) => Page::Redirect(to),
            Err(why) => html(StatusCode::NOT_FOUND, "Authorize", &format!("<p>{}</p>", escaped(why))),
        },
        ("POST", ["login", "oauth", "access_token"]) => {
            Page::Json(state.exchange(&serde_json::from_slice(body).unwrap_or_default()))
        }
        ("GET", ["settings", "installations", id]) => html(
            StatusCode::OK,
            "Installed",
            &format!("<p id=\"installed\">Installation {} is there.</p>", escaped(id)),
        ),
        _ => return None,
    })
}

/// Returns the form for the App's name, filled in from the manifest.
fn new_app(form: &[(String, String)], query: &[(String, String)], owner: &str) -> Page {
    let text = value(form, "manifest");
    match Manifest::read(text) {
        Ok(manifest) => {
            let name = escaped(manifest.name.as_deref().unwrap_or(""));
            let body = format!(
                "<form method=\"post\" action=\"/settings/apps\">\
                 <input type=\"hidden\" name=\"manifest\" value=\"{}\"><input type=\"hidden\" name=\"state\" value=\"{}\">\
                 <input type=\"hidden\" name=\"owner\" value=\"{}\"><input name=\"name\" value=\"{name}\">\
                 <button id=\"create\">Create GitHub App for {}</button></form>",
                escaped(text),
                escaped(value(query, "state")),
                escaped(owner),
                escaped(owner),
            );
            html(StatusCode::OK, "Create GitHub App", &body)
        }
        Err(why) => html(
            StatusCode::UNPROCESSABLE_ENTITY,
            "Invalid GitHub App configuration",
            &format!("<p>{}</p>", escaped(&why)),
        ),
    }
}

fn create_app(state: &mut State, form: &[(String, String)]) -> Page {
    let made = Manifest::read(value(form, "manifest"))
        .and_then(|manifest| state.register(manifest, value(form, "name"), value(form, "owner"), value(form, "state")));
    match made {
        Ok(to) => Page::Redirect(to),
        Err(why) => html(StatusCode::UNPROCESSABLE_ENTITY, "Create GitHub App", &format!("<p>{}</p>", escaped(&why))),
    }
}

fn choose(state: &State, slug: &str) -> Page {
    let body = format!(
        "<form method=\"post\" action=\"/apps/{slug}/installations/new\">\
         <button id=\"install\">Install on all repositories of {}</button></form>",
        escaped(&state.app.owner)
    );
    html(StatusCode::OK, "Install", &body)
}

/// Installs the App on all repositories of its owner.
fn install(state: &mut State) -> Page {
    let of_owner = |repo: &&super::model::Repo| repo.owner.eq_ignore_ascii_case(&state.app.owner);
    let repos: Vec<u64> = state.repos.values().filter(of_owner).map(|repo| repo.id).collect();
    let by = state.signed_in.clone();
    match state.install(&by, &repos) {
        Ok(id) => Page::Redirect(format!("{}/settings/installations/{id}", state.web)),
        Err(error) => {
            html(StatusCode::UNPROCESSABLE_ENTITY, "Install", &format!("<p>{}</p>", escaped(&error.to_string())))
        }
    }
}

fn html(status: StatusCode, title: &str, body: &str) -> Page {
    Page::Html(status, format!("<!doctype html><title>{title}</title><h1>{title}</h1>{body}"))
}

/// Returns the fields of a form or a query.
fn pairs(text: &str) -> Vec<(String, String)> {
    let plain = |text: &str| unescape(&text.replace('+', " "));
    let pairs = text.split('&').filter(|p| !p.is_empty());
    pairs.map(|p| p.split_once('=').unwrap_or((p, ""))).map(|(n, v)| (plain(n), plain(v))).collect()
}

fn value<'a>(pairs: &'a [(String, String)], name: &str) -> &'a str {
    pairs.iter().find(|(n, _)| n == name).map_or("", |(_, v)| v.as_str())
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
