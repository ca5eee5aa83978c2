//! Schema changes of a database.

use jiff::Timestamp;
use phasebot_core::domain::{
    alert::{Message, Says},
    effect::{ForgeResult, SchemaAct},
    event::Seen,
    needs::Answer,
    schema::{SchemaChange, SchemaContent, SchemaPin, SchemaProblem, SchemaState},
};

use super::{
    Forge,
    words::{after, has, number_after, time},
};

/// Words for the states of a schema change.
const STATES: [(&str, SchemaState); 17] = [
    ("checking", SchemaState::Checking),
    ("ready", SchemaState::Ready),
    ("empty", SchemaState::Empty),
    ("queued", SchemaState::Queued),
    ("running", SchemaState::Running),
    ("staged", SchemaState::Staged),
    ("applying", SchemaState::Applying),
    ("revertible", SchemaState::Revertible),
    ("applied", SchemaState::Applied),
    ("cancelling", SchemaState::Cancelling),
    ("cancelled", SchemaState::Cancelled),
    ("invalid", SchemaState::Invalid),
    ("failed", SchemaState::Failed),
    ("reverting", SchemaState::Reverting),
    ("reverted", SchemaState::Reverted),
    ("revert-failed", SchemaState::RevertFailed),
    ("defragmenting", SchemaState::Unknown),
];

impl Forge {
    /// `schema db 12 ready [from add-index] [into main] [notes "for #3"] [keeps 1] [drops 1] [ddl 2]
    /// [undeployable] [approved] [lint NO_KEY] [paused WHY] [expiring] [eta 600] [until 10:30]
    /// [closed]`: the database `db` tells the state of its schema change 12. What is not said stays
    /// as it was, but for what goes with a state.
    pub(super) fn schema(&mut self, at: Timestamp, w: &[String]) -> Option<Seen> {
        let (connection, number) = (w[1].clone(), w[2].parse().ok()?);
        let (_, state) = STATES.into_iter().find(|(name, _)| *name == w[3])?;
        let before = self.schemas.get(&(connection.clone(), number)).cloned();
        let known = before.as_ref();
        let text = |key: &str, known: Option<&String>, otherwise: &str| {
            after(w, key).map_or_else(|| known.map_or(otherwise, String::as_str).to_owned(), str::to_owned)
        };
        let digits = |key: &str, known: Option<u32>| number_after(w, key).map_or(known, |n| u32::try_from(n).ok());
        let digest = text("ddl", known.map(|it| &it.content.digest), "1");
        let change = SchemaChange {
            at,
            seen_at: at,
            state,
            word: w[3].clone(),
            connection: connection.clone(),
            number,
            from: text("from", known.map(|it| &it.from), "dev"),
            into: text("into", known.map(|it| &it.into), "main"),
            is_open: !has(w, "closed"),
            notes: text("notes", known.map(|it| &it.notes), ""),
            url: Some(format!("https://db.example.com/{number}")),
            deployable: !has(w, "undeployable") && state == SchemaState::Ready,
            problems: after(w, "lint")
                .map(|code| SchemaProblem { code: code.to_owned(), table: Some("orders".to_owned()) })
                .into_iter()
                .collect(),
            approved: has(w, "approved") || known.is_some_and(|it| it.approved && it.content.digest == digest),
            paused: after(w, "paused").map(str::to_owned),
            expires_soon: has(w, "expiring"),
            eta_seconds: number_after(w, "eta"),
            revertible_until: after(w, "until").and_then(time),
            content: SchemaContent {
                deployment: format!("d{number}"),
                schema_at: None,
                digest,
                keeps: digits("keeps", known.map(|it| it.content.keeps)).unwrap_or(1),
                drops: digits("drops", known.map(|it| it.content.drops)).unwrap_or(0),
            },
        };
        self.schemas.insert((connection.clone(), number), change.clone());
        Some(Seen::Alert(Box::new(Message { connection, at, says: Says::SchemaChange(Box::new(change)) })))
    }

    /// Does what an effect asks for: a staged change is applied, and so on.
    pub(super) fn act_on_schema(&mut self, pin: &SchemaPin, act: SchemaAct, now: Timestamp) -> ForgeResult {
        let key = (pin.connection.clone(), pin.number);
        let change = self.schemas.get_mut(&key).expect("a schema change");
        assert_eq!(change.content, pin.content, "the adapter compares it");
        change.state = match (act, change.state) {
            (SchemaAct::Deploy, SchemaState::Ready) => SchemaState::Queued,
            (SchemaAct::Apply, SchemaState::Staged) => SchemaState::Applying,
            (SchemaAct::Revert, SchemaState::Revertible) => SchemaState::Reverting,
            (_, state) => return ForgeResult::NotStarted(format!("it is {state:?}")),
        };
        (change.at, change.seen_at) = (now, now);
        ForgeResult::SchemaActed(Box::new(change.clone()))
    }

    /// Lists the open schema changes.
    pub(super) fn schema_changes(&self, connection: &str, into: &str, now: Timestamp) -> Answer {
        let of_branch = self.schemas.values().filter(|it| it.connection == connection && it.into == into);
        let open = of_branch.filter(|it| it.is_open);
        let changes: Vec<SchemaChange> = open.map(|it| SchemaChange { seen_at: now, ..it.clone() }).collect();
        let numbers = changes.iter().map(|it| it.number).collect();
        Answer::SchemaChanges { changes, numbers, needs_approval: self.reviewed_databases.contains(connection) }
    }

    pub(super) fn schema_change(&self, connection: &str, number: u64, now: Timestamp) -> Answer {
        match self.schemas.get(&(connection.to_owned(), number)) {
            Some(change) => Answer::SchemaChange(Box::new(SchemaChange { seen_at: now, ..change.clone() })),
            None => Answer::Unavailable { why: "no such schema change".into() },
        }
    }
}
