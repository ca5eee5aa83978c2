//! PlanetScale: the bot with a simulated database, whose requests and answers are checked against
//! PlanetScale's own description.

mod acts;
mod client;
mod gate;
mod hostile;
mod webhooks;

use std::sync::Arc;

use phasebot::app::clock::SimClock;
use phasebot_forge_sim::{
    NewCommit,
    planetscale::{DATABASE, ORGANIZATION, SimPlanetScale, TOKEN, TOKEN_ID, sign},
};
use serde_json::Value;

use crate::{
    flow::{Setup, World},
    openapi::check_planetscale,
};

/// Secret of the webhooks.
pub const SECRET: &str = "a database's own secret";

/// Returns the settings of the connection `db`.
pub fn settings(url: &str) -> String {
    format!(
        r#"
[alerts.db]
kind = "planetscale"
secrets = ["{SECRET}"]
repositories = ["acme/shop"]
organization = "{ORGANIZATION}"
database = "{DATABASE}"
service_token_id = "{TOKEN_ID}"
service_token = "{TOKEN}"
api_url = "{url}"
"#
    )
}

/// The bot, the forge and the database.
pub struct Stage {
    pub world: World,
    pub database: SimPlanetScale,
}

impl Stage {
    /// Starts them with a policy for `acme/shop`.
    pub async fn new(policy: &'static str) -> Self {
        let clock = Arc::new(SimClock::new("2026-03-02T09:00:00.5Z".parse().unwrap()));
        let database = SimPlanetScale::start(clock.clone()).await.unwrap();
        let alerts = Box::leak(settings(&database.url()).into_boxed_str());
        let setup = Setup { alerts, policy, clock: Some(clock), ..Setup::default() };
        Self { world: World::with(setup).await, database }
    }

    /// Pushes a commit to `main` and tags it.
    pub async fn tag(&self, tag: &str) -> String {
        let bob = self.world.person("bob");
        let commit = bob.push("main", &[NewCommit::from("Begin")]).unwrap().made.remove(0);
        bob.tag(tag, &commit).unwrap();
        self.world.minute().await;
        commit
    }

    /// Sends a webhook about a deploy request; returns the status of the answer.
    pub async fn tell(&self, event: &str, number: u64) -> u16 {
        self.send(&self.database.webhook(event, number), SECRET).await
    }

    /// Sends a webhook that is signed with a secret; returns the status of the answer.
    pub async fn send(&self, payload: &Value, secret: &str) -> u16 {
        let body = payload.to_string();
        let request = reqwest::Client::new()
            .post(format!("http://{}/alerts/db", self.world.address))
            .header("X-PlanetScale-Signature", sign(secret, body.as_bytes()));
        let status = request.body(body).send().await.unwrap().status().as_u16();
        self.world.minute().await;
        status
    }

    /// Returns the conclusion and the title of a gate's check run.
    pub fn gate(&self, name: &str, commit: &str) -> (String, String) {
        let runs = self.world.forge.check_runs("acme/shop", commit);
        let ours = runs.iter().rev().find(|run| run["name"] == name);
        let text = |pointer: &str| ours.and_then(|run| run.pointer(pointer)?.as_str()).unwrap_or_default().to_owned();
        (text("/conclusion"), text("/output/title"))
    }

    /// Checks every request to the database; returns their number.
    pub fn check_requests(&self) -> usize {
        let requests = self.database.requests();
        for exchange in &requests {
            check_planetscale(exchange).unwrap();
        }
        requests.len()
    }
}
