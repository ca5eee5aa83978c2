//! The page of `phasebot setup`, for the one browser on this machine that registers the App.
//!
//! Everyone on the machine can reach it, and every web page in the browser can try to. So the
//! page's address contains a secret; the request must be addressed to this machine (a foreign name
//! that resolves to it is refused); and a code is accepted only with the `state` that was issued,
//! once.

use std::{
    fmt::Write as _,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use axum::{
    Router,
    extract::{Path, Query, Request, State},
    middleware::{Next, from_fn_with_state},
    response::{Html, IntoResponse, Redirect, Response},
    routing::get,
};
use http::{HeaderValue, StatusCode, header};
use rand::RngExt;
use secrecy::SecretString;
use serde::Deserialize;
use tokio::{
    net::TcpListener,
    sync::{mpsc, watch},
};

/// Maximum length of a code, in bytes. GitHub's have 40.
const LONGEST_CODE: usize = 256;

/// Target and content of the registration form.
#[derive(Debug, Clone)]
pub struct Form {
    /// The forge's page for a new App.
    pub action: String,
    /// Its origin, for people and for the rule that limits where a form may lead.
    pub origin: String,
    /// The App manifest, in JSON.
    pub manifest: String,
}

/// Stage of the setup, as the page shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stage {
    /// The App is not registered yet. Contains the previous error, if there was one.
    Register(Option<String>),
    /// A code has arrived and is being exchanged.
    Exchanging,
    /// The App exists, and is not installed yet.
    Install {
        /// The forge's page to install it.
        url: String,
    },
    /// The App is installed on the repositories of these accounts.
    Installed(Vec<String>),
}

/// The setup page before it is served.
pub struct SetupPage {
    shared: Arc<Shared>,
    listener: TcpListener,
    codes: mpsc::Receiver<SecretString>,
}

/// Handle to a page that is being served.
pub struct SetupDesk {
    shared: Arc<Shared>,
    /// Codes that arrived with the right `state`.
    pub codes: mpsc::Receiver<SecretString>,
}

struct Shared {
    address: SocketAddr,
    /// Part of the page's address that other users of this machine do not know.
    token: String,
    /// The `state` that the next code must have; a new one after each.
    state: Mutex<String>,
    form: Mutex<Option<Form>>,
    stage: watch::Sender<Stage>,
    /// Whether the last page was shown.
    seen_the_end: watch::Sender<bool>,
    sender: mpsc::Sender<SecretString>,
}

impl SetupPage {
    /// Creates the page for a listener.
    ///
    /// # Errors
    /// The listener's address is unknown, or is not this machine's own.
    pub fn new(listener: TcpListener) -> io::Result<Self> {
        let address = listener.local_addr()?;
        if !address.ip().is_loopback() {
            return Err(io::Error::other("the page is for this machine only"));
        }
        let (sender, codes) = mpsc::channel(1);
        let shared = Arc::new(Shared {
            address,
            token: random(),
            state: Mutex::new(random()),
            form: Mutex::default(),
            stage: watch::Sender::new(Stage::Register(None)),
            seen_the_end: watch::Sender::new(false),
            sender,
        });
        Ok(Self { shared, listener, codes })
    }

    /// Returns the address to which the forge sends the browser back.
    pub fn redirect_url(&self) -> String {
        format!("http://{}/callback", self.shared.address)
    }

    /// Serves the page for as long as the future is awaited. Its form leads to `form`.
    pub fn serve(self, form: Form) -> (SetupDesk, impl Future<Output = io::Result<()>> + Send) {
        *self.shared.form.lock().unwrap_or_else(PoisonError::into_inner) = Some(form);
        let desk = SetupDesk { shared: self.shared.clone(), codes: self.codes };
        let router = router(self.shared);
        let listener = self.listener;
        (desk, async move { axum::serve(listener, router).await })
    }
}

impl SetupDesk {
    /// Returns the page's address. Anyone who knows it can register an App in the operator's place.
    pub fn url(&self) -> String {
        format!("http://{}/{}", self.shared.address, self.shared.token)
    }

    /// Sets the stage that the page shows.
    pub fn say(&self, stage: Stage) {
        self.shared.stage.send_replace(stage);
    }

    /// Returns once the browser has shown that everything is done.
    pub async fn seen_the_end(&self) {
        // The sender lives as long as `self`.
        let _ = self.shared.seen_the_end.subscribe().wait_for(|seen| *seen).await;
    }
}

fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/callback", get(callback))
        .route("/style.css", get(style))
        .route("/{token}", get(page))
        .fallback(async || StatusCode::NOT_FOUND)
        .layer(from_fn_with_state(shared.clone(), guard))
        .with_state(shared)
}

/// Refuses requests that are not addressed to this machine, and restricts in browsers what the page
/// may do.
async fn guard(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let port = shared.address.port();
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("");
    let mut response = if host == shared.address.to_string() || host == format!("localhost:{port}") {
        next.run(request).await
    } else {
        (StatusCode::MISDIRECTED_REQUEST, "this page is for this machine only\n").into_response()
    };
    let origin = shared.form.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(|form| form.origin.clone());
    let policy = format!(
        "default-src 'none'; style-src 'self'; form-action {}; base-uri 'none'; frame-ancestors 'none'",
        origin.as_deref().unwrap_or("'none'")
    );
    let headers = response.headers_mut();
    let none = HeaderValue::from_static("default-src 'none'");
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_str(&policy).unwrap_or(none));
    for (name, value) in [
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

#[derive(Deserialize)]
struct Back {
    #[serde(default)]
    code: String,
    #[serde(default)]
    state: String,
}

/// Accepts the code with which the browser comes back.
async fn callback(State(shared): State<Arc<Shared>>, Query(back): Query<Back>) -> Response {
    {
        let mut state = shared.state.lock().unwrap_or_else(PoisonError::into_inner);
        if !same(&back.state, &state) {
            let text = "This did not come from the page that phasebot setup shows, or came before. Begin there again.";
            return (StatusCode::FORBIDDEN, document("Refused", &format!("<p>{text}</p>"), false)).into_response();
        }
        if back.code.is_empty() || back.code.len() > LONGEST_CODE {
            let text = "<p>The forge sent no code along. Begin again on the page that phasebot setup shows.</p>";
            return (StatusCode::BAD_REQUEST, document("No code", text, false)).into_response();
        }
        *state = random();
    }
    shared.stage.send_replace(Stage::Exchanging);
    if shared.sender.send(SecretString::from(back.code)).await.is_err() {
        return (StatusCode::GONE, "phasebot setup has ended\n").into_response();
    }
    Redirect::to(&format!("/{}", shared.token)).into_response()
}

async fn style() -> Response {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], STYLE).into_response()
}

async fn page(State(shared): State<Arc<Shared>>, Path(token): Path<String>) -> Response {
    if !same(&token, &shared.token) {
        return StatusCode::NOT_FOUND.into_response();
    }
    let stage = shared.stage.borrow().clone();
    let html = match &stage {
        Stage::Register(trouble) => {
            let form = shared.form.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let state = shared.state.lock().unwrap_or_else(PoisonError::into_inner).clone();
            match form {
                Some(form) => document("Register the App", &registering(&form, &state, trouble.as_deref()), false),
                None => return StatusCode::SERVICE_UNAVAILABLE.into_response(),
            }
        }
        Stage::Exchanging => document("Registered", "<p>Fetching the App's credentials …</p>", true),
        Stage::Install { url } => {
            let body = format!(
                "<p>The App is registered, and its credentials are kept on this machine.</p>\
                 <p>Now install it on the repositories that it is to serve. That alone writes nothing.</p>\
                 <p><a id=\"install\" class=\"button\" target=\"_blank\" rel=\"noreferrer\" href=\"{}\">Install it</a></p>",
                escaped(url)
            );
            document("Install the App", &body, true)
        }
        Stage::Installed(owners) => {
            shared.seen_the_end.send_replace(true);
            let body = format!(
                "<p id=\"done\">Installed for {}. Go on in the terminal; this page can be closed.</p>",
                escaped(&owners.join(", "))
            );
            document("Done", &body, false)
        }
    };
    html.into_response()
}

fn registering(form: &Form, state: &str, trouble: Option<&str>) -> String {
    let mut body = String::new();
    if let Some(trouble) = trouble {
        let _ = write!(body, "<p class=\"trouble\" id=\"trouble\">{}</p>", escaped(trouble));
    }
    let joint = if form.action.contains('?') { '&' } else { '?' };
    let _ = write!(
        body,
        "<p>The button leads to {origin}, with everything filled in. There you choose the App's name and create it. \
         Sign in to {origin} before you press it.</p>\
         <form method=\"post\" action=\"{action}{joint}state={state}\">\
         <input type=\"hidden\" name=\"manifest\" value=\"{manifest}\">\
         <button id=\"register\" class=\"button\">Register the App</button></form>\
         <details><summary>What is asked for</summary><pre>{shown}</pre></details>",
        origin = escaped(&form.origin),
        action = escaped(&form.action),
        manifest = escaped(&form.manifest),
        shown = escaped(&pretty(&form.manifest)),
    );
    body
}

fn document(title: &str, body: &str, again: bool) -> Html<String> {
    let refresh = if again { "<meta http-equiv=\"refresh\" content=\"2\">" } else { "" };
    Html(format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">{refresh}\
         <meta name=\"viewport\" content=\"width=device-width\"><title>phasebot: {title}</title>\
         <link rel=\"stylesheet\" href=\"/style.css\"></head><body><main><h1>{title}</h1>{body}</main></body></html>"
    ))
}

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;margin:0;color:#1f2328;background:#f6f8fa}\
main{max-width:40rem;margin:4rem auto;padding:2rem;background:#fff;border:1px solid #d1d9e0;border-radius:8px}\
h1{margin-top:0;font-size:1.4rem}\
.button{display:inline-block;font:inherit;padding:.5rem 1rem;border:0;border-radius:6px;background:#1a7f37;color:#fff;cursor:pointer;text-decoration:none}\
.trouble{padding:.5rem 1rem;background:#ffebe9;border-radius:6px}\
pre{overflow:auto;font-size:.8rem}\
@media(prefers-color-scheme:dark){body{background:#0d1117;color:#e6edf3}main{background:#151b23;border-color:#3d444d}.trouble{background:#4c1a1e}}";

/// Formats JSON on several lines; returns any other text as it is.
fn pretty(json: &str) -> String {
    let value: Result<serde_json::Value, _> = serde_json::from_str(json);
    value.map_or_else(|_| json.to_owned(), |value| format!("{value:#}"))
}

/// Escapes a text for HTML, within quotes too.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// Compares in constant time.
fn same(given: &str, wanted: &str) -> bool {
    verify_slices_are_equal(given.as_bytes(), wanted.as_bytes()).is_ok()
}

/// Returns 128 random bits.
fn random() -> String {
    hex::encode(rand::rng().random::<[u8; 16]>())
}
