//! Turns messages of monitoring connections into facts.
//!
//! Every change is a join, as for all facts: an alert episode keeps its newest state by the
//! source's time, a group keeps its newest portrait, and a full set keeps its greatest entries. So
//! messages may arrive late, twice and in any order.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::domain::{
    alert::{Feedback, Group, Message, Says},
    fact::{
        DocumentKey, Newest, RepoFacts,
        incident::{Episode, EpisodeKey, FeedbackFacts, IncidentFacts, incident_id},
    },
};

/// Maximum episodes stored per group; the newest are kept.
const MOST_EPISODES: usize = 500;
/// Maximum alerts of a group whose texts are stored.
const MOST_ALERTS: usize = 30;
/// Maximum length of a text, and of a label or annotation, in characters.
const LONGEST_TEXT: usize = 4000;
const LONGEST_VALUE: usize = 500;
/// Maximum labels, and annotations, stored for each alert or group.
const MOST_LABELS: usize = 40;

/// Key and fingerprint of the incident for a connection's missed heartbeat. No source can use it,
/// because no key contains a NUL character.
pub(super) const SILENCE: &str = "\u{0}silence";

/// Adds a message to the facts; returns the documents that changed.
pub(crate) fn take(facts: &mut RepoFacts, message: &Message) -> BTreeSet<DocumentKey> {
    let connection = message.connection.as_str();
    match &message.says {
        Says::Group(group) => signal(facts, connection, group, message.at),
        Says::Feedback(feedback) => words(facts, connection, feedback, message.at).into_iter().collect(),
        Says::Heartbeat => heard(facts, connection, message.at),
        // No incident.
        Says::SchemaChange(_) | Says::Nothing(_) => BTreeSet::new(),
    }
}

/// Adds the state of a group of alerts; returns the documents that changed.
fn signal(facts: &mut RepoFacts, connection: &str, group: &Group, at: Timestamp) -> BTreeSet<DocumentKey> {
    let id = incident_id(connection, &group.key);
    // The end of an alert that we never saw firing is kept, too: its start may still arrive, and
    // must find it resolved. On its own such an end opens nothing.
    let incident = facts.incidents.entry(id.clone()).or_insert_with(|| IncidentFacts::new(connection, &group.key));
    let before = incident.clone();
    for alert in group.alerts.iter().take(MOST_EPISODES) {
        // A source's clock may run ahead: no alert starts after the message that reports it.
        let key = EpisodeKey { from: alert.started_at.min(at), fingerprint: cut(&alert.fingerprint, LONGEST_VALUE) };
        let ended = (!alert.firing).then(|| alert.ended_at.unwrap_or(at).clamp(key.from, at));
        sight(incident, key, ended, at);
    }
    let cut_short = group.left_out > 0 || group.alerts.len() > MOST_EPISODES;
    let heard = if cut_short { &mut incident.cut_at } else { &mut incident.whole_at };
    *heard = (*heard).max(Some(at));
    if group.alerts.iter().any(|alert| alert.firing) {
        Newest::join(&mut incident.portrait, Newest::new(at, trimmed(group)));
    }
    let changed = *incident != before;
    changed.then_some(DocumentKey::Incident(id)).into_iter().collect()
}

/// Joins one observation of an episode: `ended` is `None` while it fires.
pub(super) fn sight(incident: &mut IncidentFacts, key: EpisodeKey, ended: Option<Timestamp>, at: Timestamp) {
    let seen = Newest::new(at, ended);
    let fired = ended.is_none().then_some(at);
    match incident.episodes.get_mut(&key) {
        Some(known) => {
            let mut slot = Some(known.ended.clone());
            Newest::join(&mut slot, seen);
            known.ended = slot.unwrap_or_else(|| known.ended.clone());
            known.fired = crate::domain::when::earlier(known.fired, fired);
        }
        None => drop(incident.episodes.insert(key, Episode { ended: seen, fired })),
    }
    while incident.episodes.len() > MOST_EPISODES {
        incident.episodes.pop_first();
    }
}

/// Adds a user's feedback; returns its document if it changed. Of several messages with one key,
/// the earliest counts.
fn words(facts: &mut RepoFacts, connection: &str, said: &Feedback, at: Timestamp) -> Option<DocumentKey> {
    let id = incident_id(connection, &said.key);
    let said = Feedback {
        key: cut(&said.key, LONGEST_VALUE),
        title: cut(&said.title, LONGEST_VALUE),
        text: cut(&said.text, 2 * LONGEST_TEXT),
        url: said.url.as_deref().map(|url| cut(url, 2 * LONGEST_VALUE)),
        labels: few(&said.labels),
    };
    let seen = (at, said);
    match facts.feedback.get_mut(&id) {
        Some(known) if known.said <= seen => return None,
        Some(known) => known.said = seen,
        None => {
            let fresh = FeedbackFacts { connection: connection.to_owned(), said: seen, issue: None };
            facts.feedback.insert(id.clone(), fresh);
        }
    }
    Some(DocumentKey::Feedback(id))
}

/// Records that a connection sent a message, which ends its missed heartbeat.
fn heard(facts: &mut RepoFacts, connection: &str, at: Timestamp) -> BTreeSet<DocumentKey> {
    let mut changed = BTreeSet::new();
    let heartbeat = facts.heartbeats.entry(connection.to_owned()).or_default();
    if heartbeat.heard_at < Some(at) {
        heartbeat.heard_at = Some(at);
        changed.insert(DocumentKey::Heartbeat(connection.to_owned()));
    }
    let id = incident_id(connection, SILENCE);
    if let Some(incident) = facts.incidents.get_mut(&id) {
        let open = incident.episodes.iter().filter(|(key, episode)| key.from <= at && episode.ended.value.is_none());
        let open: Vec<_> = open.map(|(key, episode)| (key.clone(), episode.ended.at.max(at))).collect();
        for (key, reported_at) in open {
            sight(incident, key, Some(at), reported_at);
            incident.whole_at = incident.whole_at.max(Some(reported_at));
            changed.insert(DocumentKey::Incident(id.clone()));
        }
    }
    changed
}

/// Returns a group with its texts, labels and alerts cut to the stored limits.
fn trimmed(group: &Group) -> Group {
    let mut kept = Group {
        key: cut(&group.key, LONGEST_VALUE),
        title: group.title.as_deref().map(|title| cut(title, LONGEST_VALUE)),
        text: group.text.as_deref().map(|text| cut(text, LONGEST_TEXT)),
        url: group.url.as_deref().map(|url| cut(url, 2 * LONGEST_VALUE)),
        labels: few(&group.labels),
        alerts: group.alerts.iter().filter(|alert| alert.firing).take(MOST_ALERTS).cloned().collect(),
        ..*group
    };
    for alert in &mut kept.alerts {
        alert.fingerprint = cut(&alert.fingerprint, LONGEST_VALUE);
        alert.labels = few(&alert.labels);
        alert.annotations = few(&alert.annotations);
        alert.url = alert.url.as_deref().map(|url| cut(url, 2 * LONGEST_VALUE));
        alert.silence_url = alert.silence_url.as_deref().map(|url| cut(url, 2 * LONGEST_VALUE));
    }
    let firing = group.alerts.iter().filter(|alert| alert.firing).count();
    kept.left_out = kept.left_out.saturating_add(u64::try_from(firing - kept.alerts.len()).unwrap_or(0));
    kept
}

fn few(labels: &std::collections::BTreeMap<String, String>) -> std::collections::BTreeMap<String, String> {
    let kept = labels.iter().take(MOST_LABELS);
    kept.map(|(name, value)| (cut(name, LONGEST_VALUE), cut(value, LONGEST_VALUE))).collect()
}

fn cut(text: &str, most: usize) -> String {
    text.chars().take(most).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::domain::alert::Alert;

    fn group(firing: usize, over: usize) -> Group {
        let alert = |firing| Alert {
            fingerprint: "f".repeat(LONGEST_VALUE + 1),
            firing,
            started_at: Timestamp::UNIX_EPOCH,
            ended_at: None,
            labels: (0..MOST_LABELS + 5).map(|n| (format!("label{n}"), "v".to_owned())).collect(),
            annotations: BTreeMap::new(),
            url: None,
            silence_url: None,
        };
        let alerts = std::iter::repeat_n(alert(true), firing).chain(std::iter::repeat_n(alert(false), over));
        Group {
            key: "k".to_owned(),
            title: Some("t".repeat(LONGEST_VALUE + 1)),
            text: Some("x".repeat(LONGEST_TEXT + 1)),
            url: None,
            labels: BTreeMap::new(),
            alerts: alerts.collect(),
            left_out: 2,
            tells_end: true,
        }
    }

    /// Alerts that are cut off are added to those that the source itself left out.
    #[test]
    fn of_a_large_group_the_rest_is_counted() {
        let shape = |firing, over| {
            let kept = trimmed(&group(firing, over));
            (kept.alerts.len(), kept.left_out)
        };
        assert_eq!(shape(1, 0), (1, 2));
        assert_eq!(shape(3, 40), (3, 2), "what is over is not shown");
        assert_eq!(shape(MOST_ALERTS, 1), (MOST_ALERTS, 2));
        assert_eq!(shape(MOST_ALERTS + 4, 1), (MOST_ALERTS, 6));
    }

    #[test]
    fn nothing_is_kept_whole_however_long() {
        let kept = trimmed(&group(1, 0));
        let length = |text: &Option<String>| text.as_ref().map(String::len);
        assert_eq!((length(&kept.title), length(&kept.text)), (Some(LONGEST_VALUE), Some(LONGEST_TEXT)));
        assert_eq!((kept.alerts[0].fingerprint.len(), kept.alerts[0].labels.len()), (LONGEST_VALUE, MOST_LABELS));
    }
}
