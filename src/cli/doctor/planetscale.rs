//! Checks the databases that are asked for their schema changes: token, rights and webhook.

use std::sync::Arc;

use crate::{
    cli::{
        alerts,
        doctor::{Finding, Report, Verdict},
    },
    port::{
        clock::Clock,
        database::{Database, Hook, Inspection},
        forge::ForgeError,
    },
    settings::{AlertConnection, Settings},
};

/// Checks each connection that names a database.
pub(super) async fn check(settings: &Settings, clock: &Arc<dyn Clock>, report: &mut Report) {
    for (name, connection) in settings.alerts.iter().filter(|(_, connection)| connection.has_database()) {
        let url = format!("{}/alerts/{name}", settings.public_url);
        match alerts::database(name, connection, clock) {
            Ok(Some(database)) => {
                let found = findings(connection, &url, &database.inspect(&url).await);
                report.extend(found.into_iter().map(|finding| finding.about(name.clone())));
            }
            Ok(None) => {}
            Err(failure) => {
                report.add(Finding::new("schema", Verdict::Fail, failure.to_string()).about(name.clone()));
            }
        }
    }
}

fn findings(connection: &AlertConnection, url: &str, seen: &Inspection) -> Vec<Finding> {
    let place = format!("{}/{}", connection.organization, connection.database);
    let described = match &seen.database {
        Ok(described) => described,
        Err(error) => return vec![unreadable(&place, error)],
    };
    let mut found = Vec::new();
    if !described.has_schema_changes {
        let says = format!("{place} is PostgreSQL, which has no deploy requests");
        let remedy =
            "take the service token out of the settings, and let a check of the migration's job be the evidence";
        return vec![Finding::new("schema", Verdict::Fail, says).remedy(remedy)];
    }
    found.push(match &seen.schema_changes {
        Ok(()) => {
            let approval = if described.needs_approval { "; deploy requests need an approval" } else { "" };
            Finding::new("schema", Verdict::Ok, format!("reads the deploy requests of {place}{approval}"))
        }
        Err(error) => {
            Finding::new("schema", Verdict::Fail, format!("can't read the deploy requests of {place}: {error}"))
                .remedy("give the service token the access read_deploy_request of this database")
        }
    });
    found.push(webhook(url, &seen.webhook));
    found
}

fn unreadable(place: &str, error: &ForgeError) -> Finding {
    let remedy = match error {
        ForgeError::NotFound(_) => {
            "check organization and database, and give the service token the accesses read_database and read_deploy_request"
        }
        ForgeError::Permanent(_) => "check service_token_id and service_token",
        ForgeError::RateLimited { .. } | ForgeError::Transient(_) | ForgeError::Doubt(_) | ForgeError::Deleted(_) => {
            "try again; check this machine's way to the API"
        }
    };
    Finding::new("schema", Verdict::Fail, format!("can't read {place}: {error}")).remedy(remedy)
}

fn webhook(url: &str, seen: &Result<Option<Hook>, ForgeError>) -> Finding {
    let polled = "without it phasebot asks for states only now and then";
    match seen {
        Err(error) => Finding::new("schema", Verdict::Warn, format!("can't read the webhooks: {error}"))
            .remedy("give the service token the access read_database"),
        Ok(None) => Finding::new("schema", Verdict::Warn, format!("no webhook sends to {url}; {polled}"))
            .remedy("add it to the database, under Settings, Webhooks"),
        Ok(Some(hook)) if !hook.enabled => {
            Finding::new("schema", Verdict::Warn, format!("the webhook to {url} is disabled; {polled}"))
                .remedy("PlanetScale disables a webhook that fails again and again: mend the cause, then enable it")
        }
        Ok(Some(hook)) if !hook.missing.is_empty() => {
            let missing: Vec<&str> = hook.missing.iter().map(String::as_str).collect();
            Finding::new("schema", Verdict::Warn, format!("the webhook does not send {}", missing.join(", ")))
                .remedy("add these events to it")
        }
        Ok(Some(hook)) if !hook.last_arrived => {
            Finding::new("schema", Verdict::Warn, "the webhook's last message did not arrive")
                .remedy("let PlanetScale send a test, and look at phasebot deliveries list")
        }
        Ok(Some(_)) => Finding::new("schema", Verdict::Ok, "the webhook sends what phasebot needs"),
    }
}
