//! Webhook deliveries, signed as GitHub signs them.

use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use serde_json::Value;
use sha2::Sha256;

/// A webhook delivery.
#[derive(Debug, Clone, PartialEq)]
pub struct Delivery {
    /// Its id in the list of the App's deliveries.
    pub id: u64,
    /// `X-GitHub-Delivery`; a redelivery keeps it.
    pub guid: String,
    /// `X-GitHub-Event`.
    pub event: String,
    /// Action of the payload.
    pub action: Option<String>,
    /// The payload.
    pub payload: Value,
    /// Time of the event.
    pub at: Timestamp,
    /// The installation that receives it.
    pub installation: Option<u64>,
    /// The repository that the event concerns.
    pub repository: Option<u64>,
    /// Whether it was sent again on request.
    pub redelivery: bool,
}

impl Delivery {
    /// Returns the body, as it is signed and sent.
    pub fn body(&self) -> Vec<u8> {
        self.payload.to_string().into_bytes()
    }

    /// Returns the headers that go with [`Delivery::body`].
    ///
    /// <https://docs.github.com/webhooks/webhook-events-and-payloads#delivery-headers>
    pub fn headers(&self, hook_id: u64, app_id: u64, secret: &str) -> Vec<(&'static str, String)> {
        vec![
            ("content-type", "application/json".to_owned()),
            ("user-agent", "GitHub-Hookshot/simulated".to_owned()),
            ("x-github-delivery", self.guid.clone()),
            ("x-github-event", self.event.clone()),
            ("x-github-hook-id", hook_id.to_string()),
            ("x-github-hook-installation-target-id", app_id.to_string()),
            ("x-github-hook-installation-target-type", "integration".to_owned()),
            ("x-hub-signature-256", sign(secret, &self.body())),
        ]
    }
}

/// A completed action.
#[derive(Debug, Clone)]
pub struct Act<T> {
    /// Its result: a number, an id, a commit.
    pub made: T,
    /// The webhooks that it created, which now wait to be sent.
    pub deliveries: Vec<Delivery>,
}

/// Returns the value of `X-Hub-Signature-256`.
///
/// <https://docs.github.com/webhooks/using-webhooks/validating-webhook-deliveries>
pub fn sign(secret: &str, body: &[u8]) -> String {
    // HMAC accepts a key of any length, so this cannot fail.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else { return String::new() };
    mac.update(body);
    format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
}

/// A delivery attempt, as the App's list of deliveries shows it.
#[derive(Debug, Clone)]
pub(super) struct Attempt {
    /// The attempt's own id: a redelivery gets a new one.
    pub(super) id: u64,
    pub(super) delivery: Delivery,
    pub(super) at: Timestamp,
    /// The receiver's status; 502 if it could not be reached.
    pub(super) status: u16,
}

impl Attempt {
    /// Returns the result that the list shows.
    pub(super) fn verdict(&self) -> &'static str {
        match self.status {
            200..=299 => "OK",
            502 => "failed to connect to host",
            _ => "Invalid HTTP Response",
        }
    }
}

#[cfg(test)]
mod tests {
    /// The example that GitHub's documentation gives for testing an implementation.
    #[test]
    fn signs_as_documented() {
        assert_eq!(
            super::sign("It's a Secret to Everybody", b"Hello, World!"),
            "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
        );
    }
}
