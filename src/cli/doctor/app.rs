//! Checks the App on GitHub: its identity, installations and permissions.

use std::sync::Arc;

use jiff::SignedDuration;

use crate::{
    cli::doctor::{Finding, Occasion, Report, Verdict, connections, hook, repositories, settings_page},
    forge::github::{
        app_permissions::Grants,
        inspect::{App, Inspector, Installation, PAGE, Rate, Seen},
    },
    port::{clock::Clock, forge::ForgeError},
    settings::{Credentials, Settings},
};

/// Limits of the clock's deviation. The App's signature is dated back by a minute and is valid for
/// nine; beyond these limits GitHub rejects it.
const TOO_FAST: SignedDuration = SignedDuration::from_secs(60);
const TOO_SLOW: SignedDuration = SignedDuration::from_mins(8);
/// Deviation that is reported. GitHub's time is in whole seconds, and the answer takes a moment.
const ODD: SignedDuration = SignedDuration::from_secs(15);
/// Fraction of the hourly rate limit (one tenth) below which few calls are left.
const FEW: u64 = 10;

/// Queries GitHub and adds the findings.
pub(super) async fn check(
    settings: &Settings,
    credentials: &Credentials,
    clock: Arc<dyn Clock>,
    occasion: Occasion,
    report: &mut Report,
) {
    let github = &settings.github;
    let inspector = match Inspector::new(&github.api_url, credentials.app_id, &credentials.private_key, clock.clone()) {
        Ok(inspector) => inspector,
        Err(error) => {
            let finding = Finding::new("key", Verdict::Fail, error.to_string());
            report.add(finding.remedy("use the PEM file that GitHub gave you, and no other"));
            return;
        }
    };
    let seen = inspector.app().await;
    report.extend(skew(&seen, clock.as_ref()));
    let app = match seen.app {
        Ok(app) => app,
        Err(error) => {
            report.add(unknown(&error, settings));
            return;
        }
    };
    report.add(Finding::new("app", Verdict::Ok, format!("{} (App {}) of {}", app.slug, app.id, app.owner.login)));
    hook::check(&inspector, settings, &app, occasion, report).await;
    let installations = match inspector.installations().await {
        Ok(all) => all,
        Err(error) => {
            report.add(Finding::new("installed", Verdict::Fail, error.to_string()).remedy("try again"));
            return;
        }
    };
    if installations.is_empty() {
        let finding = Finding::new("installed", Verdict::Fail, "on no repository").remedy("install it");
        report.add(finding.link(format!("{}/installations/new", app.html_url)));
    }
    if installations.len() >= PAGE {
        report.add(Finding::new(
            "installed",
            Verdict::Note,
            format!("only the first {PAGE} installations are looked at"),
        ));
    }
    let mut served = repositories::Served::new(settings);
    for installation in &installations {
        if let Some(at) = installation.suspended_at {
            let says = format!("suspended since {at}");
            let finding = Finding::new("installed", Verdict::Fail, says).about(installation.owner());
            report.add(finding.remedy("unsuspend it").link(&installation.html_url));
            continue;
        }
        let wanted = served.look(&inspector, app.id, installation, report).await;
        report.extend(grants(settings, &app, installation, &wanted));
        report.add(rate(installation, inspector.rate(installation.id).await));
    }
    connections::check(settings, &served, report);
}

/// Returns the deviation of the machine's clock from GitHub's.
fn skew(seen: &Seen, clock: &dyn Clock) -> Option<Finding> {
    let off = clock.now().duration_since(seen.forge_time?);
    let says = format!("{} s {} GitHub's", off.abs().as_secs(), if off.is_negative() { "behind" } else { "ahead of" });
    let remedy = "set the machine's clock, by NTP";
    Some(if off > TOO_FAST || off < -TOO_SLOW {
        Finding::new("clock", Verdict::Fail, says).remedy(remedy)
    } else if off.abs() > ODD {
        Finding::new("clock", Verdict::Warn, says).remedy(remedy)
    } else {
        Finding::new("clock", Verdict::Ok, "agrees with GitHub's")
    })
}

/// Returns a finding for a failed query of the App's identity.
fn unknown(error: &ForgeError, settings: &Settings) -> Finding {
    let github = &settings.github;
    let remedy = match error {
        ForgeError::Transient(why) if why.contains("401") => {
            "check that github.app_id and the key belong together, and the clock; a key that was deleted on the App's page is worth nothing".to_owned()
        }
        ForgeError::NotFound(_) => format!("is there an API at {}? on GitHub Enterprise Server it is https://HOST/api/v3", github.api_url),
        ForgeError::RateLimited { until } => format!("wait until {until}"),
        _ => format!("check github.api_url ({}) and this machine's way to it", github.api_url),
    };
    Finding::new("app", Verdict::Fail, error.to_string()).remedy(remedy)
}

/// Returns what an installation lacks of what its repositories' policies need.
fn grants(settings: &Settings, app: &App, installation: &Installation, wanted: &Grants) -> Vec<Finding> {
    let missing = wanted.beyond(&installation.grants());
    if missing.is_empty() {
        let says = "grants everything that its policies need";
        return vec![Finding::new("permissions", Verdict::Ok, says).about(installation.owner())];
    }
    let asked = app.grants();
    let (needed, optional) = missing.by_weight();
    let mut found = Vec::new();
    for (missing, verdict) in [(needed, Verdict::Fail), (optional, Verdict::Note)] {
        let unasked = missing.beyond(&asked);
        let ungranted = missing.beyond(&unasked);
        if !unasked.is_empty() {
            let finding = Finding::new("permissions", verdict, format!("the App does not ask for {unasked}"));
            let finding =
                finding.about(installation.owner()).remedy("ask for it, then accept it where it is installed");
            found.push(finding.link(format!("{}/permissions", settings_page(settings, app))));
        }
        if !ungranted.is_empty() {
            let finding = Finding::new("permissions", verdict, format!("not granted: {ungranted}"));
            let finding = finding.about(installation.owner()).remedy("accept what the App asks for");
            found.push(finding.link(format!("{}/permissions/update", installation.html_url)));
        }
    }
    found
}

fn rate(installation: &Installation, rate: Result<Rate, ForgeError>) -> Finding {
    let finding = match rate {
        Ok(rate) => {
            let says = format!("{} of {} calls left in this hour", rate.remaining, rate.limit);
            if rate.remaining < rate.limit / FEW {
                let finding = Finding::new("rate limit", Verdict::Warn, says);
                finding.remedy("wait; if it stays low, see what else uses the App's installation")
            } else {
                Finding::new("rate limit", Verdict::Ok, says)
            }
        }
        // GitHub Enterprise Server: "Rate limiting is not enabled".
        Err(ForgeError::NotFound(_)) => Finding::new("rate limit", Verdict::Ok, "none is enabled"),
        Err(ForgeError::RateLimited { until }) => {
            Finding::new("rate limit", Verdict::Warn, format!("none left until {until}"))
        }
        Err(error) => Finding::new("rate limit", Verdict::Warn, error.to_string()),
    };
    finding.about(installation.owner())
}
