//! The last step of registering an App from a manifest: exchanges the code that the browser
//! received for the App's credentials.
//!
//! <https://docs.github.com/apps/sharing-github-apps/registering-a-github-app-from-a-manifest>

use http::Method;
use jiff::Timestamp;
use secrecy::SecretString;
use serde::Deserialize;

use crate::{
    domain::id::ForgeName,
    forge::github::{
        failure::Failure,
        path,
        transport::{Call, Credential, Transport},
    },
    port::forge::ForgeError,
};

/// A new App with its credentials, which GitHub shows only once.
#[derive(Debug, Clone, Deserialize)]
pub struct NewApp {
    /// App id.
    pub id: u64,
    /// URL-friendly name; the App's account is `slug[bot]`.
    pub slug: String,
    /// Address of the App's page.
    pub html_url: String,
    /// Private key, PEM.
    pub pem: SecretString,
    /// Webhook secret; `None` if the App has no webhook.
    pub webhook_secret: Option<SecretString>,
    /// Client id, for people to sign in; empty if GitHub gave none.
    #[serde(default)]
    pub client_id: String,
    /// Client secret.
    pub client_secret: Option<SecretString>,
}

/// Exchanges a code, which works once and for one hour. `now` is used for rate limits.
///
/// # Errors
/// [`ForgeError::NotFound`] if the code is unknown or no longer valid, [`ForgeError::Doubt`] if the
/// code may be used up although no credentials arrived.
pub async fn convert(api_url: &str, code: &str, now: Timestamp) -> Result<NewApp, ForgeError> {
    let transport =
        Transport::new(ForgeName::github(), api_url).map_err(|error| ForgeError::Permanent(error.to_string()))?;
    let call = Call {
        route: "POST /app-manifests/{code}/conversions",
        method: Method::POST,
        path: transport.root.rest(&format!("/app-manifests/{}/conversions", path::segment(code)?)),
        body: None,
        read: false,
    };
    let credential = Credential { installation: None, token: None };
    let raw =
        transport.exchange(&call, &call.path, credential, None).await.map_err(|lost| Failure::lost(&call, lost))?;
    if !raw.status.is_success() {
        return Err(Failure::answered(&call, &raw, now).into());
    }
    // A parse error would quote the body, and with it the key.
    raw.body
        .and_then(|body| serde_json::from_slice(&body).ok())
        .ok_or_else(|| ForgeError::Doubt(format!("{}: the answer makes no sense", call.route)))
}
