//! What stands now in a repository, from the rows that decisions keep and the documents that these name:
//! no read grows with the history.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde::de::DeserializeOwned;

use crate::{
    command::environments::{self, EnvironmentState},
    domain::{
        decision::GateName,
        fact::{
            DocumentKey, RepoFacts,
            command::CommandFacts,
            gate::GateFacts,
            incident::{IncidentFacts, ShownIn},
        },
        id::{ItemId, RepoKey, Sha},
        insight::{OPEN, RowKind},
    },
    insight::{
        overrides::OverrideRow,
        row::IncidentRow,
        standing::{EnvironmentRow, LiveGateRow},
    },
    port::store::{Document, InsightPage, RepositoryRow, StoreError},
    web::{Web, failure::Failure},
};

/// Most rows of a kind that are read.
const MOST: usize = 2_000;
/// Most commands that are read of an item.
const MOST_COMMANDS: usize = 1_000;
/// An incident is on for its grace after its end, and a source's clock may be behind.
const MARGIN: SignedDuration = SignedDuration::from_hours(24);
/// Overrides of this time are listed.
const OVERRIDES: SignedDuration = SignedDuration::from_hours(84 * 24);

impl Web {
    /// Returns the decisions of a repository's gates that are kept up to date, the newest first.
    pub(super) async fn live_gates(&self, row: &RepositoryRow) -> Result<Vec<GateFacts>, Failure> {
        let documents = self.gate_documents(row).await?;
        let mut gates: Vec<GateFacts> = documents.iter().filter_map(parsed).collect();
        gates.sort_by(|a, b| b.since.cmp(&a.since).then_with(|| a.decision.gate.cmp(&b.decision.gate)));
        Ok(gates)
    }

    /// Returns the state of every environment of a repository, by name.
    pub(super) async fn environments(&self, row: &RepositoryRow) -> Result<Vec<EnvironmentState>, Failure> {
        let now = self.clock.now();
        let rows: Vec<EnvironmentRow> = self.standing(row, RowKind::Environment, OPEN).await?;
        let policy = self.policy(row).await?;
        let keys: BTreeSet<String> = rows.iter().flat_map(|row| &row.documents).cloned().collect();
        let mut documents = self.documents(row, keys).await?;
        documents
            .extend(self.documents(row, [DocumentKey::About, DocumentKey::Policy].map(|key| key.to_string())).await?);
        documents.extend(self.gate_documents(row).await?);
        let over = now.checked_sub(policy.alerts.grace).and_then(|at| at.checked_sub(MARGIN));
        documents.extend(self.incident_documents(row, over.unwrap_or(Timestamp::MIN)).await?);
        let repo = row.repo.clone();
        // Hundreds of documents are work for the processor, not for a thread that serves others.
        let states = tokio::task::spawn_blocking(move || {
            environments::environments(&rows, &load(repo, &documents), &policy, now)
        });
        states.await.map_err(|_| Failure::Unavailable)
    }

    /// Returns the newest overrides of a repository, at most `most`, each with its command if that is still
    /// on record.
    pub(super) async fn overrides(
        &self,
        row: &RepositoryRow,
        now: Timestamp,
        most: usize,
    ) -> Result<Vec<(OverrideRow, Option<CommandFacts>)>, Failure> {
        let since = now.checked_sub(OVERRIDES).unwrap_or(Timestamp::MIN);
        let mut rows: Vec<OverrideRow> = self.standing(row, RowKind::Override, since).await?;
        rows.reverse();
        rows.truncate(most);
        let documents = self.documents(row, rows.iter().map(|row| row.document.clone())).await?;
        let commands: BTreeMap<&str, CommandFacts> =
            documents.iter().filter_map(|document| Some((document.key.as_str(), parsed(document)?))).collect();
        Ok(rows.into_iter().map(|row| (row.clone(), commands.get(row.document.as_str()).cloned())).collect())
    }

    async fn gate_documents(&self, row: &RepositoryRow) -> Result<Vec<Document>, Failure> {
        let rows: Vec<LiveGateRow> = self.standing(row, RowKind::LiveGate, OPEN).await?;
        self.documents(row, rows.into_iter().map(|row| row.document)).await
    }

    /// Returns the documents about the incidents that fire, or ended at or after a time: with the issues
    /// that show them, and what people said there.
    async fn incident_documents(&self, row: &RepositoryRow, since: Timestamp) -> Result<Vec<Document>, Failure> {
        let rows: Vec<IncidentRow> = self.standing(row, RowKind::Incident, since).await?;
        let ids: BTreeSet<String> = rows.into_iter().map(|row| row.id).collect();
        let mut all = self.documents(row, ids.into_iter().map(|id| DocumentKey::Incident(id).to_string())).await?;
        let incidents: Vec<IncidentFacts> = all.iter().filter_map(parsed).collect();
        let shown = incidents.iter().flat_map(|incident| &incident.cycles).map(|cycle| &cycle.place);
        let storms = shown.filter_map(|place| match place {
            ShownIn::Storm(storm) => Some(DocumentKey::Storm(storm.clone()).to_string()),
            ShownIn::Own(_) => None,
        });
        let storms: BTreeSet<String> = storms.collect();
        all.extend(self.documents(row, storms).await?);
        let issues: BTreeSet<u64> = load(row.repo.clone(), &all).index.shown_in.keys().copied().collect();
        let items = issues.iter().map(|issue| DocumentKey::Item(*issue).to_string());
        all.extend(self.documents(row, items).await?);
        for issue in issues {
            all.extend(self.command_documents(row, issue).await?);
        }
        Ok(all)
    }

    /// Returns the commands that people ran on an item, oldest first.
    pub(super) async fn commands_on(&self, row: &RepositoryRow, item: ItemId) -> Result<Vec<CommandFacts>, Failure> {
        let documents = self.command_documents(row, item).await?;
        let mut commands: Vec<CommandFacts> = documents.iter().filter_map(parsed).collect();
        commands.retain(|command| !command.is_noise());
        commands.sort_by_key(|command| command.at);
        Ok(commands)
    }

    async fn command_documents(&self, row: &RepositoryRow, item: ItemId) -> Result<Vec<Document>, Failure> {
        let on_item = format!("{{\"Command\":{{\"item\":{item},");
        Ok(self.store.documents_under(&row.repo, &on_item, MOST_COMMANDS).await?)
    }

    /// Returns the issues that show these incidents, by the incident's id; a storm's incidents have none of
    /// their own.
    pub(super) async fn incident_issues(
        &self,
        row: &RepositoryRow,
        ids: BTreeSet<String>,
    ) -> Result<BTreeMap<String, ItemId>, Failure> {
        let keys = ids.iter().map(|id| DocumentKey::Incident(id.clone()).to_string());
        let documents = self.documents(row, keys).await?;
        let by_key: BTreeMap<&str, IncidentFacts> =
            documents.iter().filter_map(|document| Some((document.key.as_str(), parsed(document)?))).collect();
        let issue = |id: &String| {
            let incident = by_key.get(DocumentKey::Incident(id.clone()).to_string().as_str())?;
            incident.cycles.iter().rev().find_map(|cycle| match &cycle.place {
                ShownIn::Own(issue) => issue.number,
                ShownIn::Storm(_) => None,
            })
        };
        Ok(ids.iter().filter_map(|id| Some((id.clone(), issue(id)?))).collect())
    }

    /// Returns the decisions of gates on commits, where they are on record.
    pub(super) async fn gates_on(
        &self,
        row: &RepositoryRow,
        keys: Vec<(GateName, Sha)>,
    ) -> Result<Vec<GateFacts>, Failure> {
        let keys = keys.into_iter().map(|(gate, sha)| DocumentKey::Gate(gate, sha).to_string());
        Ok(self.documents(row, keys).await?.iter().filter_map(parsed).collect())
    }

    async fn documents(
        &self,
        row: &RepositoryRow,
        keys: impl IntoIterator<Item = String>,
    ) -> Result<Vec<Document>, Failure> {
        let keys: Vec<String> = keys.into_iter().collect();
        if keys.is_empty() { Ok(Vec::new()) } else { Ok(self.store.documents(&row.repo, &keys).await?) }
    }

    /// Returns the rows of a kind that concern the time from `since` on.
    async fn standing<T: DeserializeOwned>(
        &self,
        row: &RepositoryRow,
        kind: RowKind,
        since: Timestamp,
    ) -> Result<Vec<T>, Failure> {
        let page = InsightPage { kind, since, after: None, limit: MOST };
        let found = self.store.insight(&row.repo, &page).await?;
        if found.len() == MOST {
            tracing::warn!(repo = %row.repo, kind = kind.as_str(), "a page shows only the first {MOST} rows");
        }
        let read = |body: &str| serde_json::from_str(body).map_err(|error| StoreError::Corrupt(error.to_string()));
        Ok(found.iter().map(|row| read(&row.body)).collect::<Result<_, _>>()?)
    }
}

fn parsed<T: DeserializeOwned>(document: &Document) -> Option<T> {
    serde_json::from_str(document.body.as_deref()?).ok()
}

fn load(repo: RepoKey, documents: &[Document]) -> RepoFacts {
    let documents = documents.iter().filter_map(|document| Some((document.key.as_str(), document.body.as_deref()?)));
    RepoFacts::load(repo, documents).0
}
