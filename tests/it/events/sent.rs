//! Sends messages to event connections.

use jiff::Timestamp;
use phasebot::port::{
    clock::Clock as _,
    store::{DeliveryFilter, DeliveryRow},
};
use phasebot_forge_sim::{MergeMethod, NewCommit};
use serde_json::{Value, json};

use crate::flow::{Setup, World};

/// Connections of the tests; all have the token or key `s3cret`.
pub const SETTINGS: &str = r#"
[events.argocd]
kind = "generic"
secrets = ["s3cret", "next"]
repositories = ["acme/shop"]

[events.jenkins]
kind = "cdevents"
secrets = ["s3cret"]
repositories = ["acme/shop", "acme/till"]

[events.tekton]
kind = "cdevents"
secrets = ["s3cret"]
signature_header = "X-Signature"
repositories = ["acme/shop"]
environments = ["prod*"]

[alerts.prod]
kind = "generic"
secrets = ["other"]
repositories = ["acme/shop"]
"#;

/// A connection whose deployments GitHub shows, too.
pub const MIRRORED: &str = r#"
[events.argocd]
kind = "generic"
secrets = ["s3cret"]
repositories = ["acme/shop"]
github = true
"#;

/// A change that is merged and waits to be deployed.
pub struct Stage {
    pub world: World,
    /// The pull request.
    pub pull: u64,
    /// Its merge commit.
    pub merged: String,
    /// The commit before it.
    pub before: String,
}

impl Stage {
    pub async fn new() -> Self {
        Self::with(SETTINGS, Setup::default().policy).await
    }

    /// Creates one with these connections under this policy.
    pub async fn with(settings: &'static str, policy: &'static str) -> Self {
        let world = World::with(Setup { alerts: settings, policy, ..Setup::default() }).await;
        let before = world.person("bob").push("main", &[NewCommit::from("Begin")]).unwrap().made.remove(0);
        let pull = world.open_pull("fix/basket", "");
        world.minute().await;
        let merged = world.person("bob").merge_pull(pull, MergeMethod::Squash).unwrap().made;
        world.minute().await;
        world.in_phase(pull, "build");
        Self { world, pull, merged, before }
    }

    /// Returns the time as senders write it.
    pub fn now(&self) -> Timestamp {
        self.world.clock.now()
    }

    /// Sends a body with the bearer token; returns the answer's status and JSON.
    pub async fn send(&self, name: &str, body: &Value) -> (u16, Value) {
        self.send_with(name, &[("Authorization", "Bearer s3cret".to_owned())], body.to_string()).await
    }

    pub async fn send_with(
        &self,
        name: &str,
        headers: &[(&'static str, String)],
        body: impl Into<reqwest::Body>,
    ) -> (u16, Value) {
        let mut request = reqwest::Client::new().post(format!("http://{}/events/{name}", self.world.address));
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let answer = request.body(body).send().await.unwrap();
        let status = answer.status().as_u16();
        let answer = serde_json::from_str(&answer.text().await.unwrap()).unwrap_or(Value::Null);
        self.world.minute().await;
        (status, answer)
    }

    /// Returns the messages in the inbox, newest first.
    pub async fn inbox(&self) -> Vec<DeliveryRow> {
        let filter = DeliveryFilter { limit: 1000, ..DeliveryFilter::default() };
        let mut rows = self.world.store.deliveries(&filter).await.unwrap();
        rows.retain(|row| row.hook.starts_with("events/"));
        rows
    }

    /// Returns the note of the newest message.
    pub async fn note(&self) -> String {
        self.inbox().await.remove(0).note
    }

    /// Returns an Argo CD notification as the template in docs/events.md writes it.
    pub fn argo(&self, phase: &str, commit: &str) -> Value {
        json!({
            "id": format!("shop/{commit}"),
            "commit": commit,
            "environment": "production",
            "state": phase,
            "at": self.now().to_string(),
        })
    }
}
