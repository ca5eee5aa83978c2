//! Missed heartbeats: a connection that is overdue becomes an incident, from the time at which its
//! next message was due.

use crate::{
    domain::fact::{
        DocumentKey, RepoFacts,
        incident::{EpisodeKey, IncidentFacts, incident_id},
    },
    incident::ingest::{SILENCE, sight},
    plan::{DecisionContext, PartialPlan},
};

/// Opens an alert episode for every connection whose heartbeat is overdue, and closes it when the
/// connection no longer needs one.
pub(super) fn watch(facts: &mut RepoFacts, terms: &DecisionContext<'_>) -> PartialPlan {
    let mut out = PartialPlan::default();
    let heard: Vec<_> = facts.heartbeats.iter().map(|(name, facts)| (name.clone(), facts.heard_at)).collect();
    for (connection, heard_at) in heard {
        let every = terms.alerts.connections.get(&connection).and_then(|rules| rules.heartbeat);
        let id = incident_id(&connection, SILENCE);
        let due = heard_at.zip(every).and_then(|(at, every)| at.checked_add(every).ok());
        match due {
            Some(due) if due <= terms.now => {
                let known = facts.incidents.entry(id.clone());
                let incident = known.or_insert_with(|| IncidentFacts::new(&connection, SILENCE));
                let key = EpisodeKey { from: due, fingerprint: SILENCE.to_owned() };
                if !incident.episodes.contains_key(&key) {
                    sight(incident, key, None, due);
                    incident.whole_at = incident.whole_at.max(Some(due));
                    out.changed.insert(DocumentKey::Incident(id));
                }
            }
            Some(due) => out.wake(Some(due)),
            // The connection no longer has a `heartbeat`, so the missed one ends now.
            None => {
                let Some(incident) = facts.incidents.get_mut(&id) else { continue };
                let open = incident.episodes.iter().filter(|(_, episode)| episode.ended.value.is_none());
                let open: Vec<EpisodeKey> = open.map(|(key, _)| key.clone()).collect();
                for key in open {
                    sight(incident, key, Some(terms.now), terms.now);
                    incident.whole_at = incident.whole_at.max(Some(terms.now));
                    out.changed.insert(DocumentKey::Incident(id.clone()));
                }
            }
        }
    }
    out
}
