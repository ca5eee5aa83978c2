//! Notices about incidents and storms.

use crate::{
    context::EvalContext,
    domain::notice::NoticeKind,
    incident,
    notice::{Draft, words},
    text::{links::Links, sanitize},
};

/// Longest title of an alert, in characters.
const LONGEST_TITLE: usize = 150;

/// Returns the notice that an incident is open, or over. It waits for the number of the incident's
/// issue, to which it links.
pub(super) fn of_incident(eval: &EvalContext<'_>, id: &str) -> Option<Draft> {
    let seen = incident::summary_of(eval, id)?;
    let title = sanitize::inline(&seen.title, LONGEST_TITLE);
    let place = seen.environment.as_deref().map(|name| format!(" in {}", crate::text::message::quoted(name)));
    let place = place.unwrap_or_default();
    let (kind, headline) = if seen.is_firing {
        let severity = seen.severity.as_deref().map(|severity| format!(" ({})", sanitize::inline(severity, 30)));
        (NoticeKind::IncidentOpened, format!("Incident{place}{}: {title}", severity.unwrap_or_default()))
    } else {
        (NoticeKind::IncidentOver, format!("Incident over{place}: {title}"))
    };
    let page = words::link(&format!("#{}", seen.issue), Links::of(eval.facts).item_page(seen.issue));
    Some(Draft {
        thread: format!("incident/{id}/{}", seen.began.as_second()),
        kind,
        is_news: !seen.is_muted,
        environment: seen.environment,
        headline,
        lines: Vec::new(),
        links: page.into_iter().collect(),
        needs_person: false,
        at: seen.at,
    })
}

/// Returns the notice that there are more incidents than get an issue each, or that they are over.
pub(super) fn of_storm(eval: &EvalContext<'_>, id: &str) -> Option<Draft> {
    let issue = &eval.facts.storms.get(id)?.issue;
    let number = issue.number?;
    let (headline, at) = if issue.firing {
        ("More incidents at once than get an issue each", issue.asked_at)
    } else {
        ("The incidents that came at once are over", issue.text.1)
    };
    let page = words::link(&format!("#{number}"), Links::of(eval.facts).item_page(number));
    Some(Draft {
        thread: format!("incident/{id}"),
        kind: NoticeKind::Storm,
        is_news: true,
        environment: None,
        headline: headline.to_owned(),
        lines: Vec::new(),
        links: page.into_iter().collect(),
        needs_person: false,
        at,
    })
}
