//! Accepts connections, serves them within limits, and shuts down gracefully.
//!
//! Plain HTTP/1.1: TLS and HTTP/2 end at the proxy before us, and a protocol that is not spoken
//! cannot be attacked.

use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, body::Body, extract::ConnectInfo};
use http::{HeaderValue, Request, Response, header};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{rt::TokioIo, server::graceful::GracefulShutdown};
use metrics::gauge;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    task::JoinSet,
};
use tower::ServiceExt;

use crate::{
    http::{
        Limits, ServerState, admin, around, public,
        timeouts::{PatientStream, Progress},
    },
    metric,
};

/// Maximum size of a request's head, in bytes. It is also the size of hyper's read buffer, so it
/// bounds the memory of a connection apart from its body.
const HEAD_BYTES: usize = 64 * 1024;

/// Pause after a failure to accept, such as too many open files, which would fail again at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves both addresses until `state`'s shutdown signal, then until every request in progress has
/// its answer.
///
/// The caller limits that time: dropping the future closes all connections. Deliveries that are
/// already being stored continue in their own tasks.
pub async fn serve(state: Arc<ServerState>, public_listener: TcpListener, admin_listener: TcpListener) {
    let (limits, shutdown) = (&state.limits, &state.shutdown);
    tokio::join!(
        listen("public", public_listener, public(Arc::clone(&state)), limits, shutdown.clone()),
        listen("admin", admin_listener, admin(Arc::clone(&state)), limits, shutdown.clone()),
    );
}

/// Serves the web pages like [`serve`], on a listener with connections of its own.
pub async fn serve_pages(listener: TcpListener, pages: Router, limits: Limits, shutdown: watch::Receiver<bool>) {
    listen("web", listener, around(pages), &limits, shutdown).await;
}

async fn listen(
    name: &'static str,
    listener: TcpListener,
    routes: Router,
    limits: &Limits,
    mut shutdown: watch::Receiver<bool>,
) {
    let places = Arc::new(Semaphore::new(limits.connections.min(Semaphore::MAX_PERMITS)));
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    loop {
        let (stream, peer, place) = tokio::select! {
            biased;
            // An error means that nothing is left to request a shutdown, which also ends the
            // server.
            _ = shutdown.wait_for(|ending| *ending) => break,
            accepted = accept(&listener, &places) => accepted,
            Some(_) = connections.join_next() => continue,
        };
        let connection = graceful.watch(connection(stream, peer, routes.clone(), limits));
        connections.spawn(async move {
            let open = gauge!(metric::HTTP_CONNECTIONS, "listener" => name);
            open.increment(1);
            if let Err(error) = connection.await {
                tracing::debug!("a connection ended: {error}");
            }
            open.decrement(1);
            drop(place);
        });
    }
    drop(listener);
    graceful.shutdown().await;
    connections.join_all().await;
}

/// Accepts the next connection. It takes a permit first: connections beyond the limit wait in the
/// kernel's queue, at no cost here.
async fn accept(listener: &TcpListener, places: &Arc<Semaphore>) -> (TcpStream, SocketAddr, OwnedSemaphorePermit) {
    loop {
        let Ok(place) = Arc::clone(places).acquire_owned().await else {
            std::future::pending::<()>().await;
            continue;
        };
        match listener.accept().await {
            Ok((stream, peer)) => return (stream, peer, place),
            Err(error) => {
                tracing::warn!("a connection can't be accepted: {error}");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    routes: Router,
    limits: &Limits,
) -> http1::Connection<
    TokioIo<PatientStream<TcpStream>>,
    impl hyper::service::Service<Request<Incoming>, Response = Response<Body>, Error = Infallible, Future: Send> + use<>,
> {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!("TCP_NODELAY can't be set: {error}");
    }
    let progress = Arc::new(Progress::default());
    let stream = PatientStream::new(stream, Arc::clone(&progress), limits.head, limits.rest);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        answer(routes.clone(), request, Arc::clone(&progress))
    });
    http1::Builder::new()
        .max_buf_size(HEAD_BYTES)
        // Timed by the stream: see `patience`.
        .header_read_timeout(None)
        .serve_connection(TokioIo::new(stream), service)
}

async fn answer(
    routes: Router,
    request: Request<Incoming>,
    progress: Arc<Progress>,
) -> Result<Response<Body>, Infallible> {
    let served = progress.begin();
    let mut response = routes.oneshot(request.map(Body::new)).await?;
    // Only an accepted sender may keep the connection. A redirection, or that a page did not change,
    // is no refusal.
    if !response.status().is_success() && !response.status().is_redirection() {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    drop(served);
    Ok(response)
}
