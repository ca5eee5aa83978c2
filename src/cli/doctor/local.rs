//! Checks that need no network: settings, policy and key.

use crate::{
    cli::{
        doctor::{Finding, Report, Verdict},
        policy,
    },
    settings::{Credentials, Loaded, Settings},
};

/// Reports the settings that were loaded.
pub(super) fn settings(loaded: &Loaded) -> Vec<Finding> {
    let from = loaded.file.as_ref().map_or_else(
        || "no file; defaults and environment".to_owned(),
        |file| format!("{} and the environment", file.display()),
    );
    let mut found = vec![Finding::new("config", Verdict::Ok, from)];
    if loaded.settings.dry_run {
        let says = "dry_run: everything is decided and recorded, nothing is written to GitHub";
        found.push(Finding::new("config", Verdict::Note, says));
    }
    found
}

/// Checks the operator's policy.
pub(super) fn policy(settings: &Settings) -> Option<Finding> {
    let file = settings.policy_file.as_ref()?;
    Some(match policy::operators(Some(file)) {
        Ok(_) => Finding::new("policy", Verdict::Ok, format!("{} is right", file.display())),
        Err(error) => Finding::new("policy", Verdict::Fail, error.to_string())
            .remedy(format!("phasebot check {} shows the places", file.display())),
    })
}

/// Checks the App's id, key and webhook secrets.
pub(super) fn credentials(settings: &Settings, report: &mut Report) -> Option<Credentials> {
    match settings.credentials() {
        Ok(credentials) => {
            let place = match (&settings.github.private_key, &settings.github.private_key_file) {
                (None, Some(file)) => file.display().to_string(),
                _ => "the key from the environment".to_owned(),
            };
            if credentials.warnings.is_empty() {
                report.add(Finding::new("key", Verdict::Ok, format!("{place} is there")));
            }
            report.extend(credentials.warnings.iter().map(|warning| {
                let (says, remedy) =
                    warning.split_once(": chmod").map_or((warning.as_str(), None), |(s, r)| (s, Some(r)));
                let finding = Finding::new("key", Verdict::Warn, says);
                match remedy {
                    Some(rest) => finding.remedy(format!("chmod{rest}")),
                    None => finding,
                }
            }));
            Some(credentials)
        }
        Err(error) => {
            report.extend(error.0.iter().map(|problem| {
                let says = format!("{}: {}", problem.place, problem.message).replace(": is not", " is not");
                let finding = Finding::new("key", Verdict::Fail, says);
                match &problem.help {
                    Some(help) => finding.remedy(help.clone()),
                    None => finding,
                }
            }));
            None
        }
    }
}
