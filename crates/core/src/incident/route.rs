//! Routes an alert by its labels: environment, service, severity, and the labels of its issue.
//!
//! Label values of an alert are untrusted like all its text: a label name made from one contains
//! only a few plain characters.

use std::collections::BTreeMap;

use crate::domain::{
    alert::Group,
    alert_policy::{AlertPolicy, AlertRoute},
    effect::LabelSpec,
    policy::Policy,
    rule::name_key,
    service::Scope,
};

/// Maximum length of a value in a label's name, in characters.
const LONGEST: usize = 30;

/// Properties of a group of alerts, from its labels and the policy's routes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Traits {
    /// The environment, in lower case.
    pub(super) environment: Option<String>,
    pub(super) service: Option<String>,
    /// The policy's service that claims the environment.
    owner: Option<String>,
    pub(super) severity: Option<String>,
    /// Labels that the policy adds.
    labels: Vec<String>,
    /// Accounts to assign.
    pub(super) assign: Vec<String>,
}

impl Traits {
    /// Derives the properties of a group.
    pub(super) fn of(group: &Group, policy: &AlertPolicy) -> Self {
        let labels = sets(group);
        let routes = policy.routes.iter().filter(|route| labels.iter().any(|set| fits(route, set)));
        let routes: Vec<&AlertRoute> = routes.collect();
        let value = |names: &[&str]| {
            let values = names.iter().flat_map(|name| labels.iter().filter_map(|set| set.get(*name)));
            values.map(|value| value.trim().to_owned()).find(|value| !value.is_empty())
        };
        let said = |field: fn(&AlertRoute) -> &Option<String>| routes.iter().find_map(|route| field(route).clone());
        let mut traits = Self {
            environment: said(|route| &route.environment)
                .or_else(|| value(&["environment", "env"]).map(|name| name_key(&name)))
                .or_else(|| policy.environment.clone()),
            service: said(|route| &route.service).or_else(|| value(&["service"])),
            severity: said(|route| &route.severity).or_else(|| value(&["severity"])),
            ..Self::default()
        };
        for route in routes {
            let fresh = |known: &[String], new: &String| !known.iter().any(|name| name.eq_ignore_ascii_case(new));
            for label in &route.labels {
                if fresh(&traits.labels, label) {
                    traits.labels.push(label.clone());
                }
            }
            for login in &route.assign {
                if fresh(&traits.assign, login) {
                    traits.assign.push(login.clone());
                }
            }
        }
        traits
    }

    /// Sets the service that claims the environment in the policy. What the alert or a route says
    /// of its service stays.
    pub(super) fn find_service(&mut self, policy: &Policy) {
        let scope = self.environment.as_deref().map(|environment| policy.scope_of_environment(environment));
        self.owner = scope.and_then(Scope::service_name).map(str::to_owned);
        self.service = self.service.take().or_else(|| self.owner.clone());
    }

    /// Returns the labels of the issue, apart from those that show its state.
    pub(super) fn looks(&self) -> Vec<LabelSpec> {
        let mut looks = vec![feedback()];
        if let Some(severity) = self.severity.as_deref().and_then(slug) {
            let color = match severity.as_str() {
                "critical" | "page" | "high" | "error" | "p1" | "sev1" => "B60205",
                "warning" | "medium" | "p2" | "sev2" => "FBCA04",
                _ => "EDEDED",
            };
            looks.push(look(&format!("severity/{severity}"), color, "How bad the alert says it is"));
        }
        if let Some(environment) = self.environment.as_deref().and_then(slug) {
            looks.push(look(&format!("env/{environment}"), "C5DEF5", "Where the alert fires"));
        }
        if let Some(service) = self.owner.as_deref().and_then(slug) {
            looks.push(look(&format!("service/{service}"), "D4C5F9", "Whose environment the alert fires in"));
        }
        for label in &self.labels {
            if !looks.iter().any(|known| known.name.eq_ignore_ascii_case(label)) {
                looks.push(look(label, "EDEDED", ""));
            }
        }
        looks
    }
}

/// Returns the label that every feedback issue has.
pub(super) fn feedback() -> LabelSpec {
    look("feedback", "BFD4F2", "What alerts and users say")
}

/// Returns the label that shows the state of an incident.
pub(super) fn standing(firing: bool) -> LabelSpec {
    if firing {
        look("alert/firing", "B60205", "The alert fires")
    } else {
        look("alert/resolved", "0E8A16", "The alert is over")
    }
}

/// Returns the label of an issue whose source never reports its end.
pub(super) fn stale() -> LabelSpec {
    look("stale", "EDEDED", "Nothing was heard of it for a long time")
}

fn look(name: &str, color: &str, description: &str) -> LabelSpec {
    LabelSpec { name: name.to_owned(), color: color.to_owned(), description: description.to_owned() }
}

/// Returns each alert's labels merged over the group's; the group's own if it lists no alerts.
fn sets(group: &Group) -> Vec<BTreeMap<&str, &str>> {
    let common = || group.labels.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    if group.alerts.is_empty() {
        return vec![common().collect()];
    }
    let alerts = group.alerts.iter();
    alerts
        .map(|alert| common().chain(alert.labels.iter().map(|(name, value)| (name.as_str(), value.as_str()))).collect())
        .collect()
}

fn fits(route: &AlertRoute, labels: &BTreeMap<&str, &str>) -> bool {
    route.matches.iter().all(|(name, value)| labels.get(name.as_str()).is_some_and(|found| value.matches(found)))
}

/// Returns a value as part of a label's name.
fn slug(value: &str) -> Option<String> {
    let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') { c } else { '-' };
    let name: String = value.to_lowercase().chars().take(LONGEST).map(plain).collect();
    let name = name.trim_matches('-').to_owned();
    (!name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::policy::Pattern;

    fn group(labels: &[(&str, &str)]) -> Group {
        Group {
            key: "k".into(),
            title: None,
            text: None,
            url: None,
            labels: labels.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect(),
            alerts: Vec::new(),
            left_out: 0,
            tells_end: true,
        }
    }

    #[test]
    fn routes_say_more_than_labels() {
        let route = AlertRoute {
            matches: vec![("severity".into(), Pattern::new("page*").unwrap())],
            environment: Some("production".into()),
            severity: Some("critical".into()),
            labels: vec!["oncall".into()],
            assign: vec!["carol".into()],
            ..AlertRoute::default()
        };
        let policy = AlertPolicy { routes: vec![route], ..AlertPolicy::default() };
        let traits = Traits::of(&group(&[("severity", "page-me"), ("env", "Staging"), ("service", "cart")]), &policy);
        assert_eq!(traits.environment.as_deref(), Some("production"));
        let names: Vec<String> = traits.looks().into_iter().map(|eval| eval.name).collect();
        assert_eq!(names, ["feedback", "severity/critical", "env/production", "oncall"]);
        let plain = Traits::of(&group(&[("severity", "low"), ("env", "Staging")]), &policy);
        assert_eq!((plain.environment.as_deref(), plain.assign.len()), (Some("staging"), 0));
    }

    #[test]
    fn a_label_is_made_of_plain_characters() {
        assert_eq!(slug("Prod, EU @all").as_deref(), Some("prod--eu--all"));
        assert_eq!(slug("\u{202e}"), None);
        assert_eq!(slug(&"x".repeat(99)).map(|s| s.len()), Some(LONGEST));
    }
}
