//! Phase labels of issues and pull requests, and labels of the repository.

use std::collections::BTreeSet;

use http::Method;
use serde::Deserialize;
use serde_json::json;

use crate::{
    domain::{effect::LabelSpec, id::ItemId},
    forge::github::{path, repo::Repo},
    port::forge::{Applied, ApplyContext, Cost, ForgeError},
};

/// Maximum number of pages of one item's labels; GitHub allows 100 labels.
const MAX_LABEL_PAGES: usize = 2;
/// GitHub's limit for a label's description, in characters.
const MAX_DESCRIPTION: usize = 100;

#[derive(Deserialize)]
struct Label {
    name: String,
}

/// Changes to an item's labels.
struct Change {
    remove: Vec<String>,
    add: bool,
}

impl Change {
    /// Returns the changes that turn the labels `on` an item into the wanted phase label.
    fn new(on: &BTreeSet<String>, wanted: Option<&LabelSpec>, phase_labels: &BTreeSet<String>) -> Self {
        let is_wanted = |name: &str| wanted.is_some_and(|look| same(&look.name, name));
        let shows_phase = |name: &str| phase_labels.iter().any(|label| same(label, name));
        Self {
            remove: on.iter().filter(|name| shows_phase(name) && !is_wanted(name)).cloned().collect(),
            add: wanted.is_some() && !on.iter().any(|name| is_wanted(name)),
        }
    }
}

/// Compares label names as GitHub does: without case.
fn same(a: &str, b: &str) -> bool {
    a.to_lowercase() == b.to_lowercase()
}

fn knows(labels: &BTreeSet<String>, name: &str) -> bool {
    labels.iter().any(|label| same(label, name))
}

/// Makes `wanted` the item's only phase label. Removes the others first, one by one, so that no two
/// phase labels show at once and no other label is touched.
pub(super) async fn set_phase(
    repo: &mut Repo<'_>,
    context: &ApplyContext,
    item: ItemId,
    wanted: Option<&LabelSpec>,
    phase_labels: &BTreeSet<String>,
) -> Result<Applied, ForgeError> {
    let mut applied = Applied::default();
    let mut on = match &context.item_labels {
        Some(labels) if !context.labels_in_doubt => labels.clone(),
        known => {
            let mut labels = on_item(repo, item).await?;
            applied.labels = Some((item, labels.clone()));
            // The list may lag behind what we know; what we know is removed, too.
            let others = known.iter().flatten().filter(|name| wanted.is_none_or(|look| !same(&look.name, name)));
            labels.extend(others.cloned());
            labels
        }
    };
    let change = Change::new(&on, wanted, phase_labels);
    if let Some(look) = wanted.filter(|_| change.add) {
        // Before the removals, so that the item has no label only for a moment.
        ensure(repo, context, look, &mut applied).await?;
    }
    let mut told = true;
    for name in &change.remove {
        told = take_off(repo, item, name, &mut on).await?;
        applied.labels = Some((item, on.clone()));
    }
    // The known labels may be out of date (two reads within one second) and name a label that was
    // removed. GitHub's answer counts; without one, the label is added again.
    if let Some(look) = wanted.filter(|look| !told || !knows(&on, &look.name)) {
        if !change.add {
            ensure(repo, context, look, &mut applied).await?;
        }
        let reply = repo
            .send(
                Method::POST,
                "POST /repos/{owner}/{repo}/issues/{issue_number}/labels",
                &format!("/issues/{item}/labels"),
                Some(json!({ "labels": [look.name] })),
            )
            .await?;
        match reply.made() {
            Some(labels) => on = names(labels),
            None => drop(on.insert(look.name.clone())),
        }
        applied.labels = Some((item, on.clone()));
        // Another phase label there was added after the labels were read.
        for name in Change::new(&on, wanted, phase_labels).remove {
            take_off(repo, item, &name, &mut on).await?;
            applied.labels = Some((item, on.clone()));
        }
    }
    Ok(applied)
}

/// Returns the writes that [`set_phase`] will make. Assumes one other phase label on an item whose
/// labels are unknown.
pub(super) fn cost(context: &ApplyContext, wanted: Option<&LabelSpec>, phase_labels: &BTreeSet<String>) -> Cost {
    let change = match &context.item_labels {
        Some(on) => Change::new(on, wanted, phase_labels),
        None => Change { remove: vec![String::new()], add: wanted.is_some() },
    };
    let make = wanted.is_some_and(|look| change.add && !knows(&context.repo_labels, &look.name));
    let writes = change.remove.len() + usize::from(change.add) + usize::from(make);
    Cost { writes: u32::try_from(writes).unwrap_or(u32::MAX), creates: 0 }
}

/// Adds labels to an item and removes others, one by one: no other label is touched.
pub(super) async fn set(
    repo: &mut Repo<'_>,
    context: &ApplyContext,
    item: ItemId,
    add: &[LabelSpec],
    remove: &BTreeSet<String>,
) -> Result<Applied, ForgeError> {
    let mut applied = Applied::default();
    let mut on = match &context.item_labels {
        Some(labels) if !context.labels_in_doubt => labels.clone(),
        _ => on_item(repo, item).await?,
    };
    applied.labels = Some((item, on.clone()));
    let missing: Vec<&LabelSpec> = add.iter().filter(|look| !knows(&on, &look.name)).collect();
    for look in &missing {
        ensure(repo, context, look, &mut applied).await?;
    }
    if !missing.is_empty() {
        let names_of: Vec<&str> = missing.iter().map(|look| look.name.as_str()).collect();
        let route = "POST /repos/{owner}/{repo}/issues/{issue_number}/labels";
        let body = json!({ "labels": names_of });
        let reply = repo.send(Method::POST, route, &format!("/issues/{item}/labels"), Some(body)).await?;
        on = match reply.made() {
            Some(labels) => names(labels),
            None => on.iter().cloned().chain(missing.iter().map(|look| look.name.clone())).collect(),
        };
        applied.labels = Some((item, on.clone()));
    }
    let wanted = |name: &String| add.iter().any(|look| same(&look.name, name));
    let off: Vec<String> =
        on.iter().filter(|name| !wanted(name) && remove.iter().any(|other| same(other, name))).cloned().collect();
    for name in off {
        take_off(repo, item, &name, &mut on).await?;
        applied.labels = Some((item, on.clone()));
    }
    Ok(applied)
}

/// Returns the maximum number of writes that [`set`] will make.
pub(super) fn cost_of_set(context: &ApplyContext, add: &[LabelSpec], remove: &BTreeSet<String>) -> Cost {
    let made = missing(context, add);
    let off = match &context.item_labels {
        Some(on) => on.iter().filter(|name| remove.iter().any(|other| same(other, name))).count(),
        None => remove.len(),
    };
    Cost { writes: u32::try_from(made + off + 1).unwrap_or(u32::MAX), creates: 0 }
}

/// Returns the number of labels that [`ensure`] will create.
pub(super) fn missing(context: &ApplyContext, looks: &[LabelSpec]) -> usize {
    looks.iter().filter(|look| !knows(&context.repo_labels, &look.name)).count()
}

/// Creates a label with its colour and description, unless it is known to exist. An existing label
/// is left as people set it.
///
/// A refusal is not an error: without permission to create labels, adding the label to an item
/// creates it anyway, in grey. A missing answer is only a transient error, because creating a label
/// twice changes nothing.
pub(super) async fn ensure(
    repo: &mut Repo<'_>,
    context: &ApplyContext,
    look: &LabelSpec,
    applied: &mut Applied,
) -> Result<(), ForgeError> {
    if knows(&context.repo_labels, &look.name) || knows(&applied.made_labels, &look.name) {
        return Ok(());
    }
    let description: String = look.description.chars().take(MAX_DESCRIPTION).collect();
    let body = json!({
        "name": look.name,
        "color": look.color.trim_start_matches('#'),
        "description": description,
    });
    let made = repo.send(Method::POST, "POST /repos/{owner}/{repo}/labels", "/labels", Some(body)).await;
    match made {
        Ok(_) => {}
        Err(failure) if failure.says(422, "already_exists") => {}
        Err(failure) => match failure.error {
            ForgeError::Permanent(_) | ForgeError::NotFound(_) => return Ok(()),
            ForgeError::Doubt(why) => return Err(ForgeError::Transient(why)),
            other => return Err(other),
        },
    }
    applied.made_labels.insert(look.name.clone());
    Ok(())
}

/// Removes one label and updates `on`; returns whether GitHub's answer listed the remaining labels.
/// A label that is not on the item counts as removed, a missing item is an error: GitHub answers
/// 404 in both cases, and only the message differs.
async fn take_off(
    repo: &mut Repo<'_>,
    item: ItemId,
    name: &str,
    on: &mut BTreeSet<String>,
) -> Result<bool, ForgeError> {
    let tail = format!("/issues/{item}/labels/{}", path::segment(name)?);
    let route = "DELETE /repos/{owner}/{repo}/issues/{issue_number}/labels/{name}";
    match repo.send(Method::DELETE, route, &tail, None).await {
        Ok(reply) => {
            if let Some(labels) = reply.made() {
                *on = names(labels);
                return Ok(true);
            }
        }
        Err(failure) if failure.says(404, "label does not exist") => {}
        Err(failure) => return Err(failure.into()),
    }
    on.retain(|label| !same(label, name));
    Ok(false)
}

async fn on_item(repo: &mut Repo<'_>, item: ItemId) -> Result<BTreeSet<String>, ForgeError> {
    let route = "GET /repos/{owner}/{repo}/issues/{issue_number}/labels";
    let (labels, _) = repo.list(route, &format!("/issues/{item}/labels"), MAX_LABEL_PAGES).await?;
    Ok(names(labels))
}

fn names(labels: Vec<Label>) -> BTreeSet<String> {
    labels.into_iter().map(|label| label.name).collect()
}
