//! Checks the targets of notices, without sending anything to them.

use std::sync::Arc;

use crate::{
    cli::{
        doctor::{Finding, Report, Verdict},
        notices,
    },
    port::{clock::Clock, notify::NotifyError},
    settings::Settings,
};

/// Asks each target if it would take a message, as far as it can be asked.
pub(super) async fn check(settings: &Settings, clock: &Arc<dyn Clock>, report: &mut Report) {
    for (name, setting) in &settings.notices {
        let kind = setting.kind.name();
        let finding = match notices::notifier(name, setting, clock) {
            Err(failure) => Finding::new("notices", Verdict::Fail, failure.to_string()),
            Ok(notifier) => match notifier.inspect().await {
                Ok(Some(says)) => Finding::new("notices", Verdict::Ok, format!("{kind}: {says}")),
                Ok(None) => {
                    let says =
                        format!("{kind}: can't be asked without sending; phasebot notify --test {name} can tell");
                    Finding::new("notices", Verdict::Note, says)
                }
                Err(error) => {
                    let finding = Finding::new("notices", Verdict::Fail, format!("{kind}: {error}"));
                    finding.remedy(remedy(&error))
                }
            },
        };
        report.add(finding.about(name.clone()));
        if setting.repositories.is_empty() {
            let says = "takes notices of public repositories only, because no repository is listed";
            report.add(Finding::new("notices", Verdict::Note, says).about(name.clone()));
        }
    }
}

fn remedy(error: &NotifyError) -> &'static str {
    match error {
        NotifyError::Gone(_) | NotifyError::MessageGone(_) | NotifyError::Permanent(_) => {
            "check the target's address, token and channel"
        }
        NotifyError::RateLimited { .. } | NotifyError::Transient(_) | NotifyError::Doubt(_) => {
            "try again; check this machine's way to the target"
        }
    }
}
