//! The forge's answers about the people who write commands.

use jiff::Timestamp;
use phasebot_core::{
    command::{
        caller::{Asks, CallerPermissions, Unanswered},
        extract::Request,
    },
    domain::needs::PullHead,
};

use super::Forge;

impl Forge {
    /// Returns what the forge says of a command's sender. A question that it does not answer is to
    /// be asked again, one that it refuses is not.
    pub fn caller(&self, request: &Request, asks: &Asks, now: Timestamp) -> CallerPermissions {
        let id = request.by.id;
        let role = self.unless_silent("people", now).map(|()| id.and_then(|id| self.roles.get(&id)).copied());
        let member = |team: &String| {
            self.unless_silent("teams", now)?;
            Ok(id.is_some_and(|id| self.teams.contains(&(team.clone(), id))))
        };
        let head = || {
            let head = self.head.clone().map(|(sha, from_fork)| PullHead { sha, from_fork });
            head.ok_or_else(|| self.unless_silent("people", now).err().unwrap_or(Unanswered::refused("no answer")))
        };
        CallerPermissions {
            role: role.map(Option::unwrap_or_default),
            teams: asks.teams.iter().map(|team| (team.clone(), member(team))).collect(),
            head: asks.head.then(head),
            asked_at: now,
        }
    }

    /// `what`: `teams`, or all `people`.
    fn unless_silent(&self, what: &str, now: Timestamp) -> Result<(), Unanswered> {
        let among = |set: &std::collections::BTreeSet<String>| set.contains("people") || set.contains(what);
        if among(&self.denied) {
            return Err(Unanswered::refused("no answer"));
        }
        if among(&self.muted) { Err(Unanswered::until(now, "no answer")) } else { Ok(()) }
    }
}
