//! Accepting connections, serving them within limits, and ending in good order.
//!
//! Plain HTTP/1.1: TLS and HTTP/2 end at the proxy before us, and what is not
//! spoken can't be attacked.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{Router, body::Body};
use http::{HeaderValue, Request, Response, header};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{rt::TokioIo, server::graceful::GracefulShutdown};
use metrics::gauge;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinSet,
};
use tower::ServiceExt;

use super::{
    Limits, ServerState, admin,
    patience::{PatientStream, Progress},
    public,
};
use crate::metric;

/// Longest head of a request, in bytes. Also hyper's read buffer, so that it
/// bounds what a connection takes beside its body.
const HEAD_BYTES: usize = 64 * 1024;

/// Pause after a failure to accept, such as too many open files: it would fail
/// again at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves both addresses until `state`'s shutdown signal, then until every
/// request that is being served has its answer.
///
/// The caller decides how long it waits for that: dropping the future cuts all
/// connections. What was already being taken in goes on in its own task.
pub async fn serve(state: Arc<ServerState>, public_listener: TcpListener, admin_listener: TcpListener) {
    tokio::join!(
        listen("public", public_listener, public(Arc::clone(&state)), &state),
        listen("admin", admin_listener, admin(Arc::clone(&state)), &state),
    );
}

async fn listen(name: &'static str, listener: TcpListener, routes: Router, state: &ServerState) {
    let limits = &state.limits;
    let mut shutdown = state.shutdown.clone();
    let places = Arc::new(Semaphore::new(limits.connections.min(Semaphore::MAX_PERMITS)));
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    loop {
        let (stream, place) = tokio::select! {
            biased;
            // An error means that nobody is left who could ask us to end: an end as well.
            _ = shutdown.wait_for(|ending| *ending) => break,
            accepted = accept(&listener, &places) => accepted,
            Some(_) = connections.join_next() => continue,
        };
        let connection = graceful.watch(connection(stream, routes.clone(), limits));
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

/// The next connection, with its place. A place first: who comes beyond the
/// limit waits in the kernel's queue, and costs us nothing.
async fn accept(listener: &TcpListener, places: &Arc<Semaphore>) -> (TcpStream, OwnedSemaphorePermit) {
    loop {
        let Ok(place) = Arc::clone(places).acquire_owned().await else {
            std::future::pending::<()>().await;
            continue;
        };
        match listener.accept().await {
            Ok((stream, _)) => return (stream, place),
            Err(error) => {
                tracing::warn!("a connection can't be accepted: {error}");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn connection(
    stream: TcpStream,
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
    let service = service_fn(move |request| answer(routes.clone(), request, Arc::clone(&progress)));
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
    // Only who was welcome may keep the connection.
    if !response.status().is_success() {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    drop(served);
    Ok(response)
}
