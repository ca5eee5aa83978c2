//! Connections: receives requests, and sends or withholds their answers.

use std::{convert::Infallible, sync::Arc};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State as Shares,
    http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, header},
    response::{Html, IntoResponse},
};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use tokio::net::TcpListener;
use tower::ServiceExt;

use super::{
    dispatch::{Asked, Outcome, dispatch},
    route::Reply,
    shared::Shared,
    web::{self, Page},
};

/// Marks an answer that is never sent: the connection closes instead.
#[derive(Clone)]
struct Closes;

/// Error that makes hyper close the connection instead of answering.
#[derive(Debug, thiserror::Error)]
#[error("the connection is closed on purpose")]
struct Closed;

/// Accepts connections until the task ends; its connections end with it.
pub(super) async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    serve_router(listener, Router::new().fallback(answer).with_state(shared)).await;
}

/// Does the same for any routes.
pub(super) async fn serve_router(listener: TcpListener, router: Router) {
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        // A small answer must not wait for the acknowledgement of the previous one.
        let _ = stream.set_nodelay(true);
        while connections.try_join_next().is_some() {}
        let router = router.clone();
        connections.spawn(async move {
            let service = hyper::service::service_fn(move |request: Request<Incoming>| {
                let router = router.clone();
                async move {
                    let Ok(response) = router.oneshot(request.map(Body::new)).await;
                    if response.extensions().get::<Closes>().is_some() { Err(Closed) } else { Ok(response) }
                }
            });
            // An error here is for the client to notice.
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn answer(
    Shares(shared): Shares<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response<Body>, Infallible> {
    let text = |name: header::HeaderName| headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or("").to_owned();
    let page = web::page(&mut shared.state(), method.as_str(), uri.path(), uri.query().unwrap_or(""), &body);
    if let Some(page) = page {
        shared.news.notify_one();
        return Ok(show(page));
    }
    let path = below(&shared.state().base_path, uri.path()).to_owned();
    let asked = Asked {
        method: method.as_str().to_owned(),
        path,
        query: uri.query().unwrap_or("").to_owned(),
        authorization: text(header::AUTHORIZATION),
        if_none_match: text(header::IF_NONE_MATCH),
        user_agent: text(header::USER_AGENT),
        body: body.to_vec(),
    };
    let (outcome, now) = {
        let mut state = shared.state();
        (dispatch(&mut state, &asked), state.auth_clock.now())
    };
    shared.news.notify_one();
    Ok(match outcome {
        Outcome::Answer(reply) => respond(reply, now),
        Outcome::Close => closing(),
        Outcome::Hang => std::future::pending().await,
    })
}

/// Returns an answer that is never sent: the connection closes instead.
pub(super) fn closing() -> Response<Body> {
    let mut response = StatusCode::INTERNAL_SERVER_ERROR.into_response();
    response.extensions_mut().insert(Closes);
    response
}

/// Returns the path below the API's root; an empty path, which no route matches, if it lies
/// elsewhere.
fn below<'a>(base: &str, path: &'a str) -> &'a str {
    match base.strip_suffix("/v3") {
        Some(api) if path.strip_prefix(api) == Some("/graphql") => "/graphql",
        _ => path.strip_prefix(base).unwrap_or(""),
    }
}

fn show(page: Page) -> Response<Body> {
    match page {
        Page::Html(status, text) => (status, Html(text)).into_response(),
        Page::Json(value) => axum::Json(value).into_response(),
        Page::Redirect(to) => (StatusCode::FOUND, [(header::LOCATION, to)]).into_response(),
    }
}

fn respond(reply: Reply, now: Timestamp) -> Response<Body> {
    let body = reply.body.map_or_else(Body::empty, |b| Body::from(b.to_string()));
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let fixed = [
        // The forge's own time, from which a client can detect that its clock is wrong.
        ("date", now.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()),
        ("content-type", "application/json; charset=utf-8".to_owned()),
        ("x-github-media-type", "github.v3; format=json".to_owned()),
    ];
    for (name, value) in reply.headers.into_iter().chain(fixed) {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}
