//! `/login`, `/callback`, `/logout`: sign-in by the forge's page, with PKCE (RFC 7636).

use std::sync::{Arc, PoisonError};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use axum::{
    Form,
    extract::{Query, Request, State},
    response::{Html, IntoResponse as _, Response},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use jiff::{SignedDuration, Timestamp};
use maud::html;
use rand::RngExt as _;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::{
    port::sign_in::SignInError,
    web::{
        Web,
        access::{Access, Visitor},
        failure::Failure,
        form,
        page::Page,
        read::Visit,
        sender::sender,
        session::{SESSION, Sessions, cookie},
    },
};

/// Name of the cookie that holds a sign-in that has begun.
const BEGUN: &str = "__Host-phasebot-sign-in";
/// Time for a person to agree on the forge's page.
const TO_AGREE: SignedDuration = SignedDuration::from_mins(10);
/// Set by browsers, never by pages.
const FETCH_SITE: &str = "sec-fetch-site";

/// A sign-in that has begun.
#[derive(Serialize, Deserialize)]
struct Begun {
    state: String,
    verifier: String,
    to: String,
    ends: Timestamp,
}

/// Where to go after the sign-in.
#[derive(Deserialize)]
pub(super) struct Wanted {
    to: Option<String>,
}

/// What the forge sends the browser back with.
#[derive(Deserialize)]
pub(super) struct Back {
    #[serde(default)]
    code: String,
    #[serde(default)]
    state: String,
}

/// Form for signing out.
#[derive(Deserialize)]
pub(super) struct SignOut {
    #[serde(default)]
    token: String,
}

fn sessions(web: &Web) -> Result<&Sessions, Failure> {
    match &web.access {
        Access::SignIn(sessions) => Ok(sessions),
        Access::Open => Err(Failure::NotFound),
    }
}

/// Returns a path of this address; anything else becomes `/`.
fn local(to: Option<String>) -> String {
    let is_local = |to: &String| {
        let plain = |b: u8| b.is_ascii_graphic() && b != b'\\';
        to.starts_with('/') && !to.starts_with("//") && to.len() <= 500 && to.bytes().all(plain)
    };
    to.filter(is_local).unwrap_or_else(|| "/".to_owned())
}

/// Shows the page on which one begins to sign in.
pub(super) async fn offer(State(web): State<Arc<Web>>, Query(wanted): Query<Wanted>) -> Result<Html<String>, Failure> {
    sessions(&web)?;
    let to = local(wanted.to);
    let to = percent_encoding::utf8_percent_encode(&to, percent_encoding::NON_ALPHANUMERIC);
    let main = html! {
        div.prose {
            h1 { "Sign in" }
            p { "These pages show the repositories that GitHub lets you read." }
            p { a.button href={ "/login/github?to=" (to) } { "Sign in with GitHub" } }
        }
    };
    let page = Page { title: "Sign in", repository: None, person: None, main };
    Ok(Html(page.render()))
}

/// Sends the browser to the forge's page.
pub(super) async fn begin(State(web): State<Arc<Web>>, Query(wanted): Query<Wanted>) -> Result<Response, Failure> {
    let sessions = sessions(&web)?;
    let random = || URL_SAFE_NO_PAD.encode(rand::rng().random::<[u8; 32]>());
    let ends = web.clock.now() + TO_AGREE;
    let begun = Begun { state: random(), verifier: random(), to: local(wanted.to), ends };
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(&begun.verifier));
    let address = sessions.forge.authorize_url(&callback(sessions), &begun.state, &challenge);
    let sealed = serde_json::to_string(&begun).ok().and_then(|text| sessions.keys.seal(BEGUN, &text));
    redirect(&address, &[(BEGUN, sealed.ok_or(Failure::Unavailable)?, TO_AGREE.as_secs())])
}

/// Ends the sign-in when the forge sends the browser back.
pub(super) async fn back(
    State(web): State<Arc<Web>>,
    Query(back): Query<Back>,
    request: Request,
) -> Result<Response, Failure> {
    let sessions = sessions(&web)?;
    let now = web.clock.now();
    let begun = cookie(request.headers(), BEGUN)
        .and_then(|sealed| sessions.keys.open(BEGUN, sealed))
        .and_then(|text| serde_json::from_str::<Begun>(&text).ok())
        .filter(|begun| now < begun.ends && same(&begun.state, &back.state) && !back.code.is_empty())
        .ok_or(Failure::NotBegun)?;
    // Only now: whoever did not begin here keeps nobody else out.
    let from = sender(request.headers(), request.extensions());
    if !sessions.sign_ins.lock().unwrap_or_else(PoisonError::into_inner).take(from, now) {
        return Err(Failure::TooMany);
    }
    let failed = |error: SignInError| match error {
        SignInError::Rejected(why) => {
            tracing::warn!("a sign-in was refused: {why:.200}");
            Failure::NotBegun
        }
        SignInError::Unavailable(why) => {
            tracing::warn!("nobody can sign in: {why}");
            Failure::Unavailable
        }
    };
    let token = sessions.forge.exchange(&back.code, &begun.verifier, &callback(sessions)).await.map_err(failed)?;
    let person = sessions.forge.person(&token.token).await.map_err(failed)?;
    tracing::info!(login = person.login, "a person signed in to the web pages");
    let session = sessions.begin(person, &token, now);
    let sealed = serde_json::to_string(&session).ok().and_then(|text| sessions.keys.seal(SESSION, &text));
    let sealed = sealed.ok_or(Failure::Unavailable)?;
    redirect(&begun.to, &[(SESSION, sealed, session.lifetime()), (BEGUN, String::new(), 0)])
}

/// Ends every session of the person.
pub(super) async fn out(
    State(web): State<Arc<Web>>,
    Visit(visitor): Visit,
    headers: HeaderMap,
    Form(form): Form<SignOut>,
) -> Result<Response, Failure> {
    let sessions = sessions(&web)?;
    let Visitor::Person { session, shown } = &*visitor else { return Err(Failure::NotFound) };
    // Another site can neither read the token nor send this page's origin.
    let is_ours =
        |name: &str, wanted: &str| headers.get(name).is_none_or(|value| value.as_bytes() == wanted.as_bytes());
    let from_here = is_ours("origin", &sessions.url) && is_ours(FETCH_SITE, "same-origin");
    let is_known = form::unmasked(&form.token).is_some_and(|token| same(&shown.form_token, &token));
    if !from_here || !is_known {
        return Err(Failure::Forged);
    }
    sessions.end(session, web.clock.now()).await?;
    redirect("/login", &[(SESSION, String::new(), 0)])
}

fn callback(sessions: &Sessions) -> String {
    format!("{}/callback", sessions.url)
}

/// Compares in constant time.
fn same(one: &str, other: &str) -> bool {
    verify_slices_are_equal(one.as_bytes(), other.as_bytes()).is_ok()
}

/// Redirects and sets cookies: name, value, seconds to keep it.
fn redirect(to: &str, cookies: &[(&str, String, i64)]) -> Result<Response, Failure> {
    let mut response = StatusCode::SEE_OTHER.into_response();
    let value = |text: &str| HeaderValue::try_from(text).map_err(|_| Failure::NotBegun);
    response.headers_mut().insert(header::LOCATION, value(to)?);
    for (name, content, seconds) in cookies {
        let mut cookie =
            value(&format!("{name}={content}; Path=/; Max-Age={seconds}; HttpOnly; Secure; SameSite=Lax"))?;
        cookie.set_sensitive(true);
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sign_in_leads_to_this_address_only() {
        for to in ["/", "/acme/shop", "/acme/shop/items/1?a=b"] {
            assert_eq!(local(Some(to.to_owned())), to);
        }
        for to in ["", "//evil.example", "https://evil.example", "/\\evil.example", "/a\nb", "acme", "/é"] {
            assert_eq!(local(Some(to.to_owned())), "/", "{to}");
        }
        assert_eq!(local(None), "/");
    }
}
