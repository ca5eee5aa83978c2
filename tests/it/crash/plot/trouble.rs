//! Alerts: whatever is sent again, there is one issue per group.

use phasebot::{app::clock::SystemClock, port::clock::Clock};
use phasebot_forge_sim::SimForge;
use serde_json::json;

use super::Plot;

/// Number of notifications about one group.
const REPEATS: usize = 4;

/// A notification to a connection.
#[derive(Debug, Clone)]
pub struct Notice {
    /// Name of the connection.
    pub connection: String,
    /// JSON in Alertmanager's form.
    pub body: String,
}

/// A group of alerts that keeps firing.
pub struct Trouble {
    sim: SimForge,
    connection: String,
    full_name: String,
    name: String,
    since: String,
    sent: usize,
    due: Vec<Notice>,
}

impl Trouble {
    /// Creates the plot before the first alert. `connection` opens issues in `full_name`; `name` is
    /// unique among groups.
    pub fn new(sim: &SimForge, connection: &str, full_name: &str, name: &str) -> Self {
        Self {
            sim: sim.clone(),
            connection: connection.to_owned(),
            full_name: full_name.to_owned(),
            name: name.to_owned(),
            since: SystemClock.now().to_string(),
            sent: 0,
            due: Vec::new(),
        }
    }
}

impl Trouble {
    /// Returns the number of issues about the group.
    pub fn filed(&self) -> usize {
        let opened = self.sim.deliveries().into_iter().filter(|d| {
            d.event == "issues"
                && d.action.as_deref() == Some("opened")
                && d.payload["repository"]["full_name"] == self.full_name.as_str()
                && d.payload["issue"]["title"].as_str().is_some_and(|title| title.contains(&self.name))
        });
        opened.count()
    }
}

impl Plot for Trouble {
    fn go_on(&mut self) -> bool {
        if self.sent == REPEATS {
            // An alert must fire for a while before an issue is opened.
            return self.filed() == 0;
        }
        self.sent += 1;
        let labels = json!({ "alertname": self.name, "severity": "critical" });
        let body = json!({
            "version": "4", "groupKey": format!("{{}}:{{alertname={:?}}}", self.name), "truncatedAlerts": 0,
            "status": "firing", "receiver": "phasebot", "groupLabels": { "alertname": self.name },
            "commonLabels": labels, "commonAnnotations": {}, "externalURL": "http://alertmanager.example.com",
            "alerts": [{
                "status": "firing", "labels": labels, "annotations": { "summary": "It does not work." },
                "startsAt": self.since, "endsAt": "0001-01-01T00:00:00Z", "fingerprint": "c6eadffa33fcdf37",
            }],
        });
        self.due.push(Notice { connection: self.connection.clone(), body: body.to_string() });
        true
    }

    fn notices(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.due)
    }

    fn check(&self, _: &SimForge) {
        assert_eq!(self.filed(), 1, "{}: issues about {}", self.full_name, self.name);
    }
}
