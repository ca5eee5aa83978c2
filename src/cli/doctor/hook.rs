//! Checks that GitHub's deliveries arrive.

use crate::{
    cli::{
        doctor::{Finding, Occasion, Report, Verdict, reach, settings_page, webhook_url},
        setup::is_here,
    },
    forge::github::inspect::{App, Delivery, Inspector},
    settings::Settings,
};

/// Number of the newest deliveries that are checked.
const RECENT: usize = 30;

/// Checks the App's webhook, phasebot's public address, and the newest deliveries.
pub(super) async fn check(
    inspector: &Inspector,
    settings: &Settings,
    app: &App,
    occasion: Occasion,
    report: &mut Report,
) {
    let (wanted, page) = (webhook_url(settings), settings_page(settings, app));
    let pulls = is_here(&settings.public_url);
    match inspector.hook().await {
        Ok(hook) => {
            let url = hook.url.unwrap_or_default();
            report.add(if pulls {
                let says =
                    format!("goes to {url:?}, and public_url is this machine only: deliveries are fetched by catch-up");
                Finding::new("webhook", Verdict::Note, says).remedy("set public_url if there is a public address")
            } else if url == wanted {
                Finding::new("webhook", Verdict::Ok, format!("goes to {url}"))
            } else {
                let finding =
                    Finding::new("webhook", Verdict::Fail, format!("goes to {url:?}, public_url has {wanted}"));
                finding.remedy("set the App's webhook URL, or public_url").link(&page)
            });
            if hook.secret.is_none_or(|secret| secret.is_empty()) {
                let finding = Finding::new(
                    "webhook",
                    Verdict::Fail,
                    "the App's webhook has no secret: every delivery is refused",
                );
                report.add(finding.remedy("set the secret that webhook_secrets has").link(&page));
            }
            if hook.content_type.is_some_and(|kind| kind != "json") {
                let finding = Finding::new("webhook", Verdict::Fail, "the App's webhook sends forms, not JSON");
                report.add(finding.remedy("choose application/json").link(&page));
            }
        }
        Err(error) => report.add(Finding::new("webhook", Verdict::Warn, error.to_string()).link(&page)),
    }
    if !pulls {
        report.add(answers(settings, occasion).await);
    }
    match inspector.deliveries(RECENT).await {
        Ok(recent) => report.add(recent_ones(&recent, pulls, occasion, &page)),
        Err(error) => report.add(Finding::new("deliveries", Verdict::Warn, error.to_string())),
    }
}

/// Checks whether the bot answers at its public address, as seen from this machine.
async fn answers(settings: &Settings, occasion: Occasion) -> Finding {
    let url = format!("{}/readyz", settings.public_url);
    match reach::get(&url).await {
        Ok(200) => Finding::new("reachable", Verdict::Ok, format!("{url} answers, as seen from this machine")),
        _ if occasion == Occasion::BeforeTheFirstStart => {
            Finding::new("reachable", Verdict::Note, format!("{url} does not answer: the bot is not started yet"))
        }
        Ok(503) => Finding::new("reachable", Verdict::Warn, format!("{url} answers 503: the bot is not ready"))
            .remedy("look into its log"),
        Ok(status) => Finding::new("reachable", Verdict::Fail, format!("{url} answers {status}"))
            .remedy("something else answers there: let the proxy pass requests on to listen"),
        Err(why) => Finding::new("reachable", Verdict::Fail, format!("{url} does not answer: {why}"))
            .remedy("start phasebot serve, and let the proxy pass requests on to listen"),
    }
}

fn recent_ones(recent: &[Delivery], pulls: bool, occasion: Occasion, page: &str) -> Finding {
    let taken = |delivery: &&Delivery| (200..300).contains(&delivery.status_code);
    let Some(newest) = recent.first() else {
        return Finding::new("deliveries", Verdict::Note, "GitHub has sent none yet");
    };
    let failed = recent.iter().filter(|delivery| !taken(delivery)).count();
    let says = format!("{failed} of the newest {} did not arrive", recent.len());
    if failed == 0 {
        return Finding::new("deliveries", Verdict::Ok, format!("the newest {} arrived", recent.len()));
    }
    if pulls || occasion == Occasion::BeforeTheFirstStart {
        return Finding::new("deliveries", Verdict::Note, says);
    }
    if taken(&newest) {
        let finding = Finding::new("deliveries", Verdict::Warn, format!("{says}, the very newest did"));
        return finding.remedy("phasebot catch-up takes in what was missed");
    }
    let finding = Finding::new(
        "deliveries",
        Verdict::Fail,
        format!("{says}; the newest, of {}: {} ({})", newest.delivered_at, newest.status, newest.status_code),
    );
    let remedy = match newest.status_code {
        401 => "webhook_secrets is not what the App's webhook signs with: set the same on both sides",
        404 => "the address leads to something else: check public_url and the proxy",
        _ => "let GitHub reach public_url, then phasebot catch-up takes in what was missed",
    };
    finding.remedy(remedy).link(format!("{page}/advanced"))
}
