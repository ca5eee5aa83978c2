//! `/items/{n}`, `/environments` and `/gates` of a repository: what is decided now.

use std::sync::Arc;

use axum::{
    extract::{Path, State},
    response::Response,
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    app::insight::csv::record,
    command::environments::EnvironmentState,
    domain::{
        decision::Condition,
        derived::{Derived, Transition},
        fact::gate::GateFacts,
    },
    port::store::StoreError,
    web::{
        Web,
        api::{
            answer::{self, Refused},
            request::Repository,
        },
        failure::Failure,
        gates,
        promotion::Promotion,
    },
};

/// Number of the item in an address, with `.csv` behind it for comma-separated values.
#[derive(Deserialize)]
pub(super) struct Number {
    item: String,
}

/// Returns an item's phase with its evidence, its rule and its history; as comma-separated values, its
/// history.
pub(super) async fn item(
    State(web): State<Arc<Web>>,
    Repository(row, edition): Repository,
    Path(Number { item }): Path<Number>,
) -> Result<Response, Refused> {
    let (number, as_csv) = item.strip_suffix(".csv").map_or((item.as_str(), false), |number| (number, true));
    let number = number.parse().map_err(|_| Failure::NotFound)?;
    let _turn = web.turn().await?;
    let stored = web.store.item(&row.repo, number).await?.ok_or(Failure::NotFound)?;
    let history = web.store.transitions(&row.repo, number).await?;
    if as_csv {
        let lines = history.iter().map(|step| {
            let to = step.to.clone().unwrap_or_default();
            let Transition { at, reason, .. } = step;
            record(&[at.to_string(), to, reason.code.clone(), reason.rule.clone(), reason.sentence.clone()])
        });
        return Ok(answer::csv(record(&["at", "phase", "evidence", "rule", "why"]) + &lines.collect::<String>()));
    }
    let derived: Derived =
        serde_json::from_str(&stored.derived).map_err(|error| StoreError::Corrupt(error.to_string()))?;
    let faces = web.faces(&row, [number]).await?;
    answer::json(
        &edition,
        &json!({
            "repository": row.full_name,
            "item": number,
            "kind": if faces.get(&number).is_some_and(crate::web::read::Face::is_pull) { "pull_request" } else { "issue" },
            "title": faces.get(&number).map(crate::web::read::Face::title),
            "phase": derived.phase,
            "since": derived.since,
            "labelled": derived.ours,
            "reason": derived.reason,
            "next": derived.next,
            "history": history,
        }),
    )
}

/// Returns what runs in each environment, and what stands in the way of the next deployment.
pub(super) async fn environments(
    State(web): State<Arc<Web>>,
    Repository(row, edition): Repository,
) -> Result<Response, Refused> {
    let _turn = web.turn().await?;
    let states = web.environments(&row).await?;
    let promotions = web.promotions(&row, &states).await?;
    let all = states.iter().map(|state| environment(state, promotions.get(&state.name)));
    let all: Vec<Value> = all.collect();
    answer::json(&edition, &json!({ "repository": row.full_name, "environments": all }))
}

fn environment(state: &EnvironmentState, promotions: Option<&Vec<Promotion>>) -> Value {
    let carries = promotions.into_iter().flatten().map(|promotion| {
        let changes = promotion.changes.as_ref();
        let changes = changes.map(|all| all.iter().map(|row| row.change.as_str()).collect::<Vec<_>>());
        json!({ "from": promotion.from, "changes": changes })
    });
    let running = state.running.as_ref().map(|run| {
        json!({
            "deployment": run.deployment,
            "commit": run.commit,
            "tags": run.tags,
            "since": run.since,
            "by": run.by,
        })
    });
    let gate = state
        .gate
        .as_ref()
        .map(|gate| json!({ "commit": gate.commit, "state": gate.state, "why": gate.sentence, "since": gate.since }));
    let incidents = state.incidents.iter().map(|incident| {
        json!({ "id": incident.id, "issue": incident.issue, "title": incident.title, "since": incident.since })
    });
    json!({
        "name": state.name,
        "running": running,
        "gate": gate,
        "incidents": incidents.collect::<Vec<_>>(),
        "promotions": carries.collect::<Vec<_>>(),
        "guards": state.guards,
        "waiting": state.waiting,
    })
}

/// Returns what runs in each environment, as comma-separated values.
pub(super) async fn environments_csv(
    State(web): State<Arc<Web>>,
    Repository(row, _): Repository,
) -> Result<Response, Refused> {
    let head = ["environment", "deployment", "commit", "tags", "since", "incidents", "gate"];
    let mut text = record(&head);
    let _turn = web.turn().await?;
    for state in web.environments(&row).await? {
        let run = state.running.as_ref();
        let commit = run.and_then(|run| run.commit.as_ref());
        text.push_str(&record(&[
            state.name.clone(),
            run.map_or_else(String::new, |run| run.deployment.to_string()),
            commit.map_or_else(String::new, ToString::to_string),
            run.map_or_else(String::new, |run| run.tags.join(" ")),
            run.map_or_else(String::new, |run| run.since.to_string()),
            state.incidents.len().to_string(),
            state.gate.as_ref().map_or_else(String::new, |gate| format!("{:?}", gate.state).to_lowercase()),
        ]));
    }
    Ok(answer::csv(text))
}

/// Returns the decisions of gates that are kept up to date.
pub(super) async fn gates(
    State(web): State<Arc<Web>>,
    Repository(row, edition): Repository,
) -> Result<Response, Refused> {
    let _turn = web.turn().await?;
    let all: Vec<Value> = web.live_gates(&row).await?.iter().take(gates::MOST).map(gate).collect();
    answer::json(&edition, &json!({ "repository": row.full_name, "gates": all }))
}

fn gate(gate: &GateFacts) -> Value {
    let decision = &gate.decision;
    json!({
        "gate": decision.gate.check(),
        "commit": decision.sha,
        "tags": gate.tags,
        "state": decision.standing,
        "since": gate.turns.last().map_or(gate.since, |turn| turn.at),
        "changes_at": decision.next_at,
        "policy": decision.policy,
        "conditions": decision.conditions.iter().map(condition).collect::<Vec<_>>(),
    })
}

fn condition(condition: &Condition) -> Value {
    json!({
        "name": condition.name,
        "state": condition.standing,
        "code": condition.code,
        "why": condition.sentence,
        "parts": condition.parts.iter().map(self::condition).collect::<Vec<_>>(),
    })
}

/// Returns a line for each condition of the gates that are kept up to date, as comma-separated values.
pub(super) async fn gates_csv(
    State(web): State<Arc<Web>>,
    Repository(row, _): Repository,
) -> Result<Response, Refused> {
    let _turn = web.turn().await?;
    let mut text = record(&["gate", "commit", "gate_state", "condition", "state", "code", "since"]);
    for gate in web.live_gates(&row).await?.iter().take(gates::MOST) {
        for one in &gate.decision.conditions {
            let since = gate.waits.get(&one.name).and_then(|wait| wait.since);
            text.push_str(&record(&[
                gate.decision.gate.check(),
                gate.decision.sha.to_string(),
                format!("{:?}", gate.decision.standing).to_lowercase(),
                one.name.clone(),
                format!("{:?}", one.standing).to_lowercase(),
                one.code.clone(),
                since.map_or_else(String::new, |since| since.to_string()),
            ]));
        }
    }
    Ok(answer::csv(text))
}
