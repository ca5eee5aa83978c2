//! Calls to GitHub: token, conditional request, redirects and the interpretation of answers.

use std::sync::{Arc, PoisonError, RwLock};

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, header};
use jiff::Timestamp;
use secrecy::SecretString;
use serde::{Deserialize, de::DeserializeOwned};

use crate::{
    domain::id::ConnectionId,
    forge::github::{
        auth::{AppKey, Minted, TokenBroker},
        cache::{Cache, Further, Kept, Key},
        failure::Failure,
        transport::{Call, Credential, Raw, Transport},
    },
    port::{clock::Clock, forge::ForgeError},
};

/// Maximum number of redirects followed per call.
const MAX_REDIRECTS: u32 = 3;

/// Makes authenticated calls to one GitHub instance.
pub(super) struct Client {
    pub(super) transport: Transport,
    key: RwLock<Arc<AppKey>>,
    broker: TokenBroker,
    cache: Cache,
    clock: Arc<dyn Clock>,
}

/// Identity that a call uses.
#[derive(Debug, Clone, Copy)]
pub(super) enum Caller {
    /// The App itself.
    App,
    /// An installation, and the id of the repository that the call is about: a redirect to another
    /// repository is not followed.
    Installation(ConnectionId, u64),
}

/// A successful answer.
#[derive(Debug, Clone)]
pub(super) struct Reply {
    route: &'static str,
    /// Body; empty if it was cut off (for a write: the write succeeded nevertheless).
    pub(super) body: Bytes,
    /// Next page, if the answer mentions one.
    pub(super) next: Further,
    /// Path that a redirect led to.
    pub(super) moved_to: Option<String>,
}

impl Reply {
    /// Parses the body of a read. A body that doesn't match GitHub's documentation is a transient
    /// error (a proxy's page, a cut-off body): a later attempt may succeed.
    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T, ForgeError> {
        serde_json::from_slice(&self.body)
            .map_err(|error| ForgeError::Transient(format!("{}: the answer makes no sense: {error}", self.route)))
    }

    /// Parses the body of a write; `None` if it is unreadable, which does not mean that the write
    /// failed.
    pub(super) fn made<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_slice(&self.body).ok()
    }
}

impl Client {
    /// Creates a client without tokens and with an empty cache.
    pub(super) fn new(transport: Transport, key: AppKey, clock: Arc<dyn Clock>) -> Self {
        Self {
            transport,
            key: RwLock::new(Arc::new(key)),
            broker: TokenBroker::new(clock.clone()),
            cache: Cache::default(),
            clock,
        }
    }

    /// Drops an installation's token and its cached answers.
    pub(super) fn forget(&self, installation: ConnectionId) {
        self.broker.drop_token(installation);
        self.cache.drop_of(installation);
    }

    /// Replaces the key that signs from now on; tokens that exist stay valid.
    pub(super) fn renew(&self, key: AppKey) {
        *self.key.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(key);
    }

    fn key(&self) -> Arc<AppKey> {
        self.key.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns the current time.
    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Makes one call. Sends it again only if the answer proves that it was not executed: after a
    /// 401 (once, with a new token) and after a redirect.
    pub(super) async fn call(&self, call: &Call, caller: Caller) -> Result<Reply, Failure> {
        let mut path = call.path.clone();
        let mut redirects = 0;
        let mut renewed = false;
        loop {
            let (installation, token) = match caller {
                Caller::App => (None, self.key().sign(self.now())?),
                Caller::Installation(id, _) => (Some(id), self.broker.token(id, self.mint(id)).await?),
            };
            let key: Key = (installation, path.clone());
            let kept = if call.method == Method::GET { self.cache.get(&key) } else { None };
            let etag = kept.as_ref().map(|kept| kept.etag.as_str());
            let credential = Credential { installation, token: Some(&token.secret) };
            let raw = self
                .transport
                .exchange(call, &path, credential, etag)
                .await
                .map_err(|lost| Failure::lost(call, lost))?;

            let moved_to = (redirects > 0).then(|| path.clone());
            match (raw.status, kept) {
                (StatusCode::UNAUTHORIZED, _) if !renewed && installation.is_some() => {
                    if let Some(id) = installation {
                        self.broker.forget(id, &token).await;
                    }
                    renewed = true;
                }
                (StatusCode::NOT_MODIFIED, Some(kept)) => {
                    return Ok(Reply { route: call.route, body: kept.body, next: kept.next, moved_to });
                }
                (
                    StatusCode::MOVED_PERMANENTLY
                    | StatusCode::FOUND
                    | StatusCode::TEMPORARY_REDIRECT
                    | StatusCode::PERMANENT_REDIRECT,
                    _,
                ) => {
                    redirects += 1;
                    path = self.redirected(call, caller, &raw, redirects)?;
                }
                (status, _) if status.is_success() => return self.success(call, key, raw, moved_to),
                _ => return Err(Failure::answered(call, &raw, self.now())),
            }
        }
    }

    /// Makes one call as the App and returns the answer unprocessed.
    pub(super) async fn once_as_app(&self, call: &Call) -> Result<Raw, ForgeError> {
        let signed = self.key().sign(self.now())?;
        let credential = Credential { installation: None, token: Some(&signed.secret) };
        let raw = self.transport.exchange(call, &call.path, credential, None).await;
        raw.map_err(|lost| Failure::lost(call, lost).into())
    }

    fn success(&self, call: &Call, key: Key, raw: Raw, moved_to: Option<String>) -> Result<Reply, Failure> {
        let next = further(&raw.headers);
        let body = match raw.body {
            Some(body) => body,
            None if call.read => {
                return Err(ForgeError::Transient(format!("{}: the answer broke off", call.route)).into());
            }
            None => Bytes::new(),
        };
        // Calls as the App are not cached: they rarely repeat, and a delivery is large.
        if call.method == Method::GET
            && key.0.is_some()
            && let Some(etag) = raw.headers.get(header::ETAG).and_then(|etag| etag.to_str().ok())
        {
            self.cache.put(key, Kept { etag: etag.to_owned(), body: body.clone(), next: next.clone() });
        }
        Ok(Reply { route: call.route, body, next, moved_to })
    }

    /// Returns the path that a redirect leads to. GitHub redirects renamed and transferred
    /// repositories, and expects the same method and body; it did not execute the redirected
    /// request.
    /// Fails after too many redirects, and if the target is another host or another repository.
    fn redirected(&self, call: &Call, caller: Caller, raw: &Raw, redirects: u32) -> Result<String, Failure> {
        let refused = |why: &str| Failure {
            status: Some(raw.status),
            message: String::new(),
            route: call.route,
            error: ForgeError::Permanent(format!("{why} ({})", call.route)),
        };
        if redirects > MAX_REDIRECTS {
            return Err(refused("GitHub redirects in a circle"));
        }
        let root = &self.transport.root;
        let location = raw.headers.get(header::LOCATION).and_then(|location| location.to_str().ok());
        let Some(path) = location.and_then(|location| root.local(location)) else {
            return Err(refused("a redirect leads to another host, where our credentials never go"));
        };
        if let Caller::Installation(_, repo) = caller
            && root.repository_id(&path).is_some_and(|id| id != repo)
        {
            let error = format!("{}: the repository's old name now leads to another repository", call.route);
            return Err(ForgeError::NotFound(error).into());
        }
        Ok(path)
    }

    /// Requests a new installation token. Marked as a read: the request has no other effect, so it
    /// can always be repeated.
    async fn mint(&self, installation: ConnectionId) -> Result<Minted, ForgeError> {
        #[derive(Deserialize)]
        struct Body {
            token: SecretString,
            expires_at: Timestamp,
        }
        let path = self.transport.root.rest(&format!("/app/installations/{installation}/access_tokens"));
        let call = Call {
            route: "POST /app/installations/{installation_id}/access_tokens",
            method: Method::POST,
            path,
            body: None,
            read: true,
        };
        let signed = self.key().sign(self.now())?;
        let credential = Credential { installation: None, token: Some(&signed.secret) };
        let raw = self
            .transport
            .exchange(&call, &call.path, credential, None)
            .await
            .map_err(|lost| Failure::lost(&call, lost))?;
        if raw.status.is_success() {
            // A parse error would quote the body, and with it the token.
            let body: Option<Body> = raw.body.and_then(|body| serde_json::from_slice(&body).ok());
            return body
                .map(|body| Minted { secret: body.token, expires_at: body.expires_at })
                .ok_or_else(|| ForgeError::Transient(format!("{}: the answer makes no sense", call.route)));
        }
        let failure = Failure::answered(&call, &raw, self.now());
        Err(match (raw.status, failure.error) {
            (_, limited @ ForgeError::RateLimited { .. }) => limited,
            (StatusCode::NOT_FOUND, _) => ForgeError::NotFound(format!(
                "installation {installation}: the App is no longer installed there, or never was"
            )),
            (StatusCode::FORBIDDEN, _) => ForgeError::Permanent(format!(
                "installation {installation}: GitHub gives no token, the App is suspended there ({})",
                failure.message
            )),
            (StatusCode::UNAUTHORIZED, _) => ForgeError::Transient(format!(
                "GitHub does not accept the App's own signature: check app_id, the private key and this machine's clock ({})",
                failure.message
            )),
            (_, error) => error,
        })
    }
}

/// Returns the next page that the `Link` header announces.
fn further(headers: &HeaderMap) -> Further {
    let Some(link) = headers.get(header::LINK).and_then(|link| link.to_str().ok()) else { return Further::Unsaid };
    let is_next = |parameter: &str| parameter.trim().eq_ignore_ascii_case("rel=\"next\"");
    let next = link.split(',').find(|link| link.split(';').skip(1).any(is_next));
    let address = next.and_then(|link| link.split(';').next()).map(|address| address.trim().trim_matches(['<', '>']));
    address.map_or(Further::None, |address| Further::At(address.to_owned()))
}
