//! Messages that tell of one alert.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::domain::alert::{Alert, Group, Says};

/// An alert that is a group by itself.
pub(super) struct Single {
    /// Its identifier among those of the connection.
    pub(super) key: String,
    /// Its title, if it has one.
    pub(super) title: Option<String>,
    /// Its text, if it has one.
    pub(super) text: Option<String>,
    /// URL of the details.
    pub(super) url: Option<String>,
    /// Labels.
    pub(super) labels: BTreeMap<String, String>,
    /// True if it fires, false if it is over.
    pub(super) firing: bool,
    /// Start of the alert.
    pub(super) started_at: Timestamp,
    /// True if the source reports the end of alerts.
    pub(super) tells_end: bool,
}

impl Single {
    /// Returns the message's content.
    pub(super) fn says(self) -> Says {
        let alert = Alert {
            fingerprint: self.key.clone(),
            firing: self.firing,
            started_at: self.started_at,
            ended_at: None,
            labels: self.labels.clone(),
            annotations: BTreeMap::new(),
            url: self.url.clone(),
            silence_url: None,
        };
        Says::Group(Group {
            key: self.key,
            title: self.title,
            text: self.text,
            url: self.url,
            labels: self.labels,
            alerts: vec![alert],
            left_out: 0,
            tells_end: self.tells_end,
        })
    }
}
