//! Creates webhooks: what they say, and that they wait to be sent.

use serde_json::{Map, Value, json};

use super::{delivery::Delivery, model::Installation, shape, state::State};

impl State {
    /// Creates the webhook that GitHub sends to the App about a repository, if the App is installed
    /// on it.
    pub(super) fn emit(&mut self, repo: u64, event: &str, action: Option<&str>, by: &str, own: Value) {
        let Some(installation) = self.installation_of(repo).map(|i| i.id) else { return };
        self.user(by, "User");
        let Ok(place) = self.repo(repo) else { return };
        let mut payload = envelope(action, own);
        let described =
            if event == "push" { shape::repository_of_push(self, place) } else { shape::repository(self, place) };
        payload.insert("repository".into(), described);
        if self.users.get(&place.owner.to_ascii_lowercase()).is_some_and(|u| u.kind == "Organization") {
            payload.insert("organization".into(), shape::organization(self, &place.owner));
        }
        payload.insert("sender".into(), shape::user(self, by));
        payload.insert(
            "installation".into(),
            json!({ "id": installation, "node_id": shape::node("MDIzOk", installation) }),
        );
        self.queue(event, action, Some(installation), Some(repo), payload);
    }

    /// Creates a webhook about an installation, which names no repository of its own.
    pub(super) fn emit_installation(
        &mut self,
        event: &str,
        action: &str,
        by: &str,
        installation: &Installation,
        own: Value,
    ) {
        self.user(by, "User");
        let mut payload = envelope(Some(action), own);
        payload.insert("installation".into(), shape::installation(self, installation));
        payload.insert("sender".into(), shape::user(self, by));
        self.queue(event, Some(action), Some(installation.id), None, payload);
    }

    /// Creates the webhook about a person who took back what the App may do in their name.
    pub(super) fn emit_revocation(&mut self, by: &str) {
        self.user(by, "User");
        let mut payload = envelope(Some("revoked"), json!({}));
        payload.insert("sender".into(), shape::user(self, by));
        self.queue("github_app_authorization", Some("revoked"), None, None, payload);
    }

    fn queue(
        &mut self,
        event: &str,
        action: Option<&str>,
        installation: Option<u64>,
        repository: Option<u64>,
        payload: Map<String, Value>,
    ) {
        let id = self.id();
        let delivery = Delivery {
            id,
            guid: self.guid(id),
            event: event.to_owned(),
            action: action.map(str::to_owned),
            payload: Value::Object(payload),
            at: self.now(),
            installation,
            repository,
            redelivery: false,
        };
        self.made.push(delivery.clone());
        self.outgoing.push_back(delivery);
    }

    /// Returns a delivery id that looks like GitHub's.
    fn guid(&self, id: u64) -> String {
        let digits = format!("{:016x}{id:016x}", self.salt);
        format!("{}-{}-{}-{}-{}", &digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..])
    }
}

fn envelope(action: Option<&str>, own: Value) -> Map<String, Value> {
    let mut payload = Map::new();
    if let Some(action) = action {
        payload.insert("action".into(), action.into());
    }
    if let Value::Object(own) = own {
        payload.extend(own);
    }
    payload
}
