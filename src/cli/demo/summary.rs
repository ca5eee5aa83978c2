//! Summary of the story: the phases of the request, its cost, and what to try next.

use std::collections::BTreeMap;

use crate::cli::{
    Failure,
    demo::{
        page::Page,
        stage::{HISTORY, REPO, Stage},
        story::ISSUE,
    },
};
use phasebot_forge_sim::Exchange;

/// Writes the phases with their times, API calls and webhooks, and the meaning of the last phase.
pub(super) async fn write(stage: &Stage, page: &mut Page<'_>) -> Result<(), Failure> {
    page.line("")?;
    page.line(&page.strong("Where the request has been"))?;
    let history = stage.derived(ISSUE).await?.map(|derived| derived.history).unwrap_or_default();
    for transition in &history {
        let phase = transition.to.as_deref().unwrap_or("no phase");
        let shown = stage.policy.phase_index(phase).map_or_else(
            || phase.to_owned(),
            |index| page.label(&format!(" {phase:<8}"), &stage.policy.phases[index].color),
        );
        page.line(&format!("  {}  {shown}  {}", transition.at.strftime("%a %H:%M"), transition.reason.sentence))?;
    }

    let calls = stage.forge.requests();
    page.line("")?;
    page.line(&page.strong(&format!("What it cost: {} API calls", calls.len())))?;
    for (route, count) in by_route(&calls) {
        page.line(&format!("  {count:>3}  {route}"))?;
    }
    let sent = stage.forge.deliveries().len();
    page.line(&format!("{sent} webhooks were sent, one of them twice; each was answered once it was on disk."))?;

    page.line("")?;
    page.line(&page.strong("And now?"))?;
    page.line("The request is back in Operate until half an hour has passed without an incident.")?;
    page.line("What the alert tells is the next issue, #3 in Plan: the loop has no end.")?;
    Ok(())
}

/// Counts calls by route, the most frequent first.
fn by_route(calls: &[Exchange]) -> Vec<(String, usize)> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for call in calls {
        *counts.entry(call.name()).or_default() += 1;
    }
    let mut counts: Vec<(String, usize)> = counts.into_iter().collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    counts
}

/// Writes the addresses that people can try while everything runs.
pub(super) fn addresses(stage: &Stage, page: &mut Page<'_>, with_history: bool) -> Result<(), Failure> {
    page.line("")?;
    page.line(&page.strong("Everything is still up. Try:"))?;
    page.line(&format!("  pages    http://{}/{REPO} in a browser", stage.web))?;
    if with_history {
        page.line(&format!("  charts   http://{}/{HISTORY}/dora, of a generated half year", stage.web))?;
    }
    page.line(&format!("  health   curl http://{}/readyz", stage.public))?;
    page.line(&format!("  metrics  curl http://{}/metrics", stage.admin))?;
    if let Some(installation) = stage.forge.deliveries().iter().find_map(|delivery| delivery.installation) {
        let (token, api) = (stage.forge.new_token(installation), stage.forge.api_url());
        page.line(&format!("  forge    curl -H 'Authorization: Bearer {token}' {api}/repos/{REPO}/issues/{ISSUE}"))?;
    }
    page.line("Ctrl-C ends it.")?;
    Ok(())
}
