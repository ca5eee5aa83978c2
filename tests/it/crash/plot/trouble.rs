//! Alerts: whatever is sent again, one issue for each group.

use phasebot::{app::clock::SystemClock, port::clock::Clock};
use phasebot_forge_sim::SimForge;
use serde_json::json;

use super::Plot;

/// How often the monitoring system tells of one group.
const REPEATS: usize = 4;

/// A notification to a connection.
#[derive(Debug, Clone)]
pub struct Notice {
    /// The connection's name.
    pub connection: String,
    /// Alertmanager's JSON.
    pub body: String,
}

/// A group of alerts that goes on firing.
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
    /// Nothing is wrong yet. `connection` opens issues in `full_name`; `name` is no other group's.
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
    /// Issues about it.
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
            // An alert has to last a little before it is filed.
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
