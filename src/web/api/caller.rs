//! Who calls the API.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use http::{HeaderMap, header};

use crate::web::{
    Web,
    access::{Access, Visitor, names_this_machine},
    api::answer::Refused,
    failure::Failure,
    sender::sender,
};

/// Longest token that is asked about; GitHub's have up to 255 characters.
const LONGEST_TOKEN: usize = 300;

/// Finds out who calls: by their token, or by the session of their browser.
pub(super) async fn guard(State(web): State<Arc<Web>>, mut request: Request, next: Next) -> Response {
    let visitor = match &web.access {
        Access::Open if names_this_machine(&request) => Ok(Visitor::Anyone),
        Access::Open => Err(Failure::OtherName),
        Access::SignIn(sessions) => {
            let now = web.clock.now();
            let from = sender(request.headers(), request.extensions());
            let found = match token(request.headers()) {
                Some(token) => token.and_then(|token| sessions.of_token(token, from, now)).map(Some),
                None => sessions.of_request(web.store.as_ref(), request.headers(), now).await,
            };
            let person = |session| Visitor::Person { shown: crate::web::session::Session::shown(&session), session };
            found.and_then(|session| session.map(person).ok_or(Failure::SignIn("/".to_owned())))
        }
    };
    match visitor {
        Ok(visitor) => {
            request.extensions_mut().insert(Arc::new(visitor));
            next.run(request).await
        }
        Err(failure) => Refused(failure).into_response(),
    }
}

/// Lets an operator read everything.
pub(super) async fn operator(mut request: Request, next: Next) -> Response {
    request.extensions_mut().insert(Arc::new(Visitor::Operator));
    next.run(request).await
}

/// Returns the token of a request, if it shows one.
fn token(headers: &HeaderMap) -> Option<Result<&str, Failure>> {
    let refused = || Failure::SignIn("/".to_owned());
    let mut shown = headers.get_all(header::AUTHORIZATION).iter();
    let (value, more) = (shown.next()?, shown.next());
    let token = value.to_str().ok().and_then(|value| {
        let (scheme, token) = value.split_once(' ')?;
        let is_scheme = scheme.eq_ignore_ascii_case("bearer") || scheme.eq_ignore_ascii_case("token");
        is_scheme.then_some(token.trim())
    });
    let is_plain =
        |token: &&str| !token.is_empty() && token.len() <= LONGEST_TOKEN && token.bytes().all(|b| b.is_ascii_graphic());
    Some(token.filter(is_plain).filter(|_| more.is_none()).ok_or_else(refused))
}
