//! What `doctor` asks.

use serde::Deserialize;
use serde_json::Value;

use crate::{
    database::planetscale::{Page, PlanetScale, webhook::WANTED},
    port::{
        database::{Described, Hook, Inspection},
        forge::ForgeError,
    },
};

/// Webhooks on a page: a database has at most five.
const WEBHOOKS: u32 = 25;

/// What is read of a webhook. Its secret is not.
#[derive(Debug, Deserialize)]
struct WebhookBody {
    url: String,
    enabled: bool,
    last_sent_success: Option<bool>,
    last_sent_at: Option<String>,
    events: Vec<String>,
}

pub(super) async fn inspect(planetscale: &PlanetScale, webhook_url: &str) -> Inspection {
    let database = planetscale.described().await.map(|body| Described {
        name: body.name,
        has_schema_changes: body.kind == "mysql",
        needs_approval: body.require_approval_for_deploy,
    });
    if database.is_err() {
        let unasked = || ForgeError::Permanent("not asked".to_owned());
        return Inspection { database, schema_changes: Err(unasked()), webhook: Err(unasked()) };
    }
    let path = "/deploy-requests?page=1&per_page=1";
    let listed: Result<Page<Value>, ForgeError> = planetscale.client.get("GET /deploy-requests", path).await;
    let path = format!("/webhooks?page=1&per_page={WEBHOOKS}");
    let webhooks: Result<Page<WebhookBody>, ForgeError> = planetscale.client.get("GET /webhooks", &path).await;
    let webhook = webhooks.map(|page| {
        let ours = page.data.into_iter().find(|hook| hook.url.trim_end_matches('/') == webhook_url)?;
        let missing = WANTED.into_iter().filter(|event| !ours.events.iter().any(|sent| sent == event));
        Some(Hook {
            enabled: ours.enabled,
            last_arrived: ours.last_sent_at.is_none() || ours.last_sent_success != Some(false),
            missing: missing.map(str::to_owned).collect(),
        })
    });
    Inspection { database, schema_changes: listed.map(drop), webhook }
}
