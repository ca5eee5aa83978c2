//! Creates the targets of notices from the settings.

use std::{collections::BTreeMap, sync::Arc};

use secrecy::SecretString;

use crate::{
    app::{NoticeTarget, Notices},
    cli::Failure,
    notify::{Client, Discord, Matrix, Mattermost, SlackApp, SlackWebhook, Swap, Teams, Webhook},
    port::{clock::Clock, notify::Notifier},
    settings::{NoticeTarget as Setting, NoticeTargetKind},
};

/// The running targets by name; their secrets can be replaced.
#[derive(Default)]
pub(super) struct Targets(BTreeMap<String, Arc<Swap>>);

/// Creates the targets, with what replaces their secrets later.
pub(super) fn renewable(
    settings: &BTreeMap<String, Setting>,
    clock: &Arc<dyn Clock>,
) -> Result<(Notices, Targets), Failure> {
    let (mut targets, mut swaps) = (BTreeMap::new(), Targets::default());
    for (name, setting) in settings {
        let swap = Arc::new(Swap::new(notifier(name, setting, clock)?));
        swaps.0.insert(name.clone(), swap.clone());
        targets.insert(name.clone(), NoticeTarget::new(swap, setting.repositories.clone()));
    }
    Ok((Notices::new(targets), swaps))
}

/// Creates the targets.
pub fn targets(settings: &BTreeMap<String, Setting>, clock: &Arc<dyn Clock>) -> Result<Notices, Failure> {
    renewable(settings, clock).map(|(notices, _)| notices)
}

/// Replaces the secrets with those in the settings. Added and removed targets, and which repositories
/// may use them, take effect only after a restart.
pub(super) fn renew(targets: &Targets, settings: &BTreeMap<String, Setting>, clock: &Arc<dyn Clock>) {
    for (name, swap) in &targets.0 {
        let Some(setting) = settings.get(name) else { continue };
        match notifier(name, setting, clock) {
            Ok(notifier) => swap.put(notifier),
            Err(failure) => tracing::error!("what was in force stays so: {failure}"),
        }
    }
}

/// Creates what sends to one target.
pub(super) fn notifier(name: &str, setting: &Setting, clock: &Arc<dyn Clock>) -> Result<Arc<dyn Notifier>, Failure> {
    let client = Client::new(clock.clone()).map_err(|error| Failure::Message(format!("notices.{name}: {error}")))?;
    let missing = |key: &str| Failure::Message(format!("notices.{name}.{key}: is missing"));
    let url = || setting.url.clone().ok_or_else(|| missing("url"));
    let token = || -> Result<SecretString, Failure> { setting.token.clone().ok_or_else(|| missing("token")) };
    let (api_url, channel) = (setting.api_url.clone(), setting.channel.clone());
    Ok(match setting.kind {
        NoticeTargetKind::Webhook => Arc::new(Webhook::new(client, url()?, setting.secrets.clone())),
        NoticeTargetKind::Slack if setting.url.is_some() => Arc::new(SlackWebhook::new(client, url()?)),
        NoticeTargetKind::Slack => Arc::new(SlackApp::new(client, api_url, token()?, channel)),
        NoticeTargetKind::Teams => Arc::new(Teams::new(client, url()?)),
        NoticeTargetKind::Discord => Arc::new(Discord::new(client, url()?)),
        NoticeTargetKind::Mattermost => Arc::new(Mattermost::new(client, url()?)),
        NoticeTargetKind::Matrix => Arc::new(Matrix::new(client, api_url, token()?, channel)),
    })
}
