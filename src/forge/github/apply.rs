//! Applies effects.

use crate::{
    domain::{effect::Effect, fact::command::Source},
    forge::github::{
        check, comment, deploy,
        dispatch::{self, Dispatch},
        graphql, issue, item_actions, label, mirror,
        own_account::Identity,
        protection, release, release_notes,
        repo::Repo,
    },
    port::forge::{Applied, ApplyContext, Cost, ForgeError},
};

/// Applies one effect.
pub(super) async fn apply(
    repo: &mut Repo<'_>,
    identity: &Identity,
    effect: &Effect,
    context: &ApplyContext,
) -> Result<Applied, ForgeError> {
    let applied = match effect {
        Effect::SetPhase { item, label, phase_labels } => {
            label::set_phase(repo, context, *item, label.as_ref(), phase_labels).await?
        }
        Effect::UpsertComment { item, marker, body, sticky } => {
            comment::upsert(repo, identity, context, *item, marker, body, *sticky).await?
        }
        Effect::React { item: _, source: Source::Comment(comment), node: _, reaction } => {
            comment::react(repo, *comment, *reaction).await?
        }
        Effect::React { item: _, source: Source::Review(_), node: Some(node), reaction } => {
            graphql::react(repo.client, repo.target, node, *reaction).await?
        }
        Effect::React { source: Source::Review(id), node: None, .. } => {
            return Err(ForgeError::Permanent(format!("the global id of review {id} is not known")));
        }
        Effect::FoldComment { item, marker, since } => comment::fold(repo, identity, *item, marker, *since).await?,
        Effect::Assign { item, logins, .. } => item_actions::assign(repo, *item, logins).await?,
        Effect::SetMilestone { item, milestone, .. } => {
            item_actions::set_milestone(repo, *item, milestone.as_deref()).await?
        }
        Effect::RerunFailed { pull, sha, .. } => item_actions::rerun_failed(repo, *pull, sha).await?,
        Effect::OpenIssue { marker, title, body, labels, gate: _ } => {
            issue::open(repo, identity, context, marker, title, body, labels).await?
        }
        Effect::EditIssue { item, marker, title, body } => issue::edit(repo, *item, marker, title, body).await?,
        Effect::SetIssueState { item, open } => issue::set_state(repo, *item, *open).await?,
        Effect::SetLabels { item, add, remove } => label::set(repo, context, *item, add, remove).await?,
        Effect::UpsertIssue { marker, title, body, open } => {
            issue::upsert(repo, identity, context, marker, title, body, *open).await?
        }
        Effect::Report { name, sha, external_id, verdict, title, summary, annotations, or_comment, gate: _ } => {
            let (verdict, or_comment) = (*verdict, *or_comment);
            let check = check::Check { name, sha, external_id, verdict, title, summary, annotations, or_comment };
            check::set(repo, identity, context, &check).await?
        }
        Effect::CreateDeployment { request, environment, production, transient, sha, watched, inputs, description } => {
            let (production, transient) = (*production, *transient);
            let it =
                deploy::Deployment { request, environment, production, transient, sha, watched, inputs, description };
            deploy::create(repo, identity, context, &it).await?
        }
        Effect::MirrorDeployment { made: Some(copy), state, description, .. } => {
            deploy::set_status(repo, *copy, *state, description, None).await?
        }
        Effect::MirrorDeployment { external, look_first, environment, production, sha, description, .. } => {
            let (external, look_first, production) = (*external, *look_first, *production);
            let it = mirror::Mirror { external, look_first, environment, production, sha, description };
            mirror::create(repo, identity, context, &it).await?
        }
        Effect::SetDeployment { deployment, state, description, log } => {
            deploy::set_status(repo, *deployment, *state, description, log.as_deref()).await?
        }
        Effect::Dispatch { workflow, reference, sha, watched, environment, request, inputs, strict } => {
            let strict = *strict;
            let it = Dispatch { workflow, reference, sha, watched, environment, request, inputs, strict };
            dispatch::dispatch(repo, context, &it).await?
        }
        Effect::TearDown { request, environment, pull: _, workflow, reference } => {
            dispatch::tear_down(repo, workflow, reference, environment, request).await?
        }
        Effect::CancelRun { run } => dispatch::cancel(repo, *run).await?,
        // A report that may have arrived is not repeated, because GitHub counts reports.
        Effect::AnswerProtection { approve: None, .. } if context.in_doubt => Applied::default(),
        Effect::AnswerProtection { run, environment, approve, comment } => {
            protection::answer(repo, *run, environment, *approve, comment).await?
        }
        Effect::PublishRelease { release, tag, sha, branch, gate: _, command: _ } => {
            release::publish(repo, *release, tag, sha, branch.as_deref()).await?
        }
        Effect::ActOnSchema { .. } => {
            return Err(ForgeError::Permanent("GitHub knows no schema changes".to_owned()));
        }
        Effect::SetReleaseNotes { release, tag, text, gate: _ } => {
            release_notes::set(repo, *release, tag, text).await?
        }
    };
    Ok(Applied { renamed_to: repo.renamed_to().await, ..applied })
}

/// Returns the maximum number of writes that [`apply`] will make.
pub(super) fn cost(effect: &Effect, context: &ApplyContext) -> Cost {
    if context.look_only {
        return Cost::default();
    }
    match effect {
        Effect::SetPhase { label, phase_labels, .. } => label::cost(context, label.as_ref(), phase_labels),
        Effect::UpsertComment { .. } | Effect::UpsertIssue { .. } => Cost { writes: 1, creates: 1 },
        Effect::Report { or_comment: Some(_), .. } => Cost { writes: 2, creates: 1 },
        Effect::Report { or_comment: None, .. }
        | Effect::CreateDeployment { .. }
        | Effect::SetDeployment { .. }
        | Effect::MirrorDeployment { .. }
        | Effect::CancelRun { .. }
        | Effect::TearDown { .. }
        | Effect::AnswerProtection { .. }
        | Effect::SetReleaseNotes { .. }
        | Effect::React { .. }
        | Effect::FoldComment { .. }
        | Effect::Assign { .. }
        | Effect::EditIssue { .. }
        | Effect::SetIssueState { .. }
        | Effect::SetMilestone { .. } => Cost { writes: 1, creates: 0 },
        Effect::SetLabels { add, remove, .. } => label::cost_of_set(context, add, remove),
        // The number of failed runs is not known yet.
        Effect::RerunFailed { .. } => Cost { writes: 3, creates: 0 },
        Effect::OpenIssue { labels, .. } => {
            let labels = u32::try_from(label::missing(context, labels)).unwrap_or(u32::MAX);
            Cost { writes: labels.saturating_add(1), creates: 1 }
        }
        Effect::Dispatch { .. } => Cost { writes: u32::from(!context.in_doubt), creates: 0 },
        // It is no write to GitHub.
        Effect::ActOnSchema { .. } => Cost::default(),
        Effect::PublishRelease { .. } => Cost { writes: 2, creates: 0 },
    }
}
