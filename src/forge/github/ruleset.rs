//! The parts of a ruleset that make checks required.
//! <https://docs.github.com/rest/repos/rules>

use serde::Deserialize;

/// A ruleset on tags.
#[derive(Debug, Clone, Deserialize)]
pub struct Ruleset {
    /// Name of the ruleset.
    pub name: String,
    conditions: Option<Conditions>,
    #[serde(default)]
    rules: Vec<Rule>,
    /// GitHub sends it only to those who may edit the ruleset.
    bypass_actors: Option<Vec<serde::de::IgnoredAny>>,
}

#[derive(Debug, Clone, Deserialize)]
struct Conditions {
    ref_name: Option<RefName>,
}

#[derive(Debug, Clone, Deserialize)]
struct RefName {
    #[serde(default)]
    include: Vec<String>,
    #[serde(default)]
    exclude: Vec<String>,
}

#[derive(Debug, Clone, Deserialize)]
struct Rule {
    #[serde(rename = "type")]
    kind: String,
    parameters: Option<Parameters>,
}

#[derive(Debug, Clone, Deserialize)]
struct Parameters {
    #[serde(default)]
    required_status_checks: Vec<Required>,
}

#[derive(Debug, Clone, Deserialize)]
struct Required {
    context: String,
    integration_id: Option<u64>,
}

impl Ruleset {
    /// Returns whether the ruleset certainly applies to all tags that match `pattern`. Compares the
    /// text: an equivalent pattern is not recognised.
    pub fn covers(&self, pattern: &str) -> bool {
        let Some(names) = self.conditions.as_ref().and_then(|conditions| conditions.ref_name.as_ref()) else {
            return false;
        };
        let all = ["~ALL", "refs/tags/**", "refs/tags/**/*"];
        let this = format!("refs/tags/{pattern}");
        names.exclude.is_empty() && names.include.iter().any(|name| all.contains(&name.as_str()) || *name == this)
    }

    /// Returns the App whose check the ruleset requires; `Some(None)` if any App may report it,
    /// `None` if the check is not required.
    pub fn requires(&self, check: &str) -> Option<Option<u64>> {
        let checks = self.rules.iter().filter(|rule| rule.kind == "required_status_checks");
        let mut all = checks.filter_map(|rule| rule.parameters.as_ref()).flat_map(|p| &p.required_status_checks);
        all.find(|required| required.context == check).map(|required| required.integration_id)
    }

    /// Returns the number of actors that may bypass the ruleset; `None` if GitHub does not say.
    pub fn bypassers(&self) -> Option<usize> {
        self.bypass_actors.as_ref().map(Vec::len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_surely_covers_counts() {
        let set = |include: &str, exclude: &str| -> Ruleset {
            let json = format!(
                r#"{{"name":"x","conditions":{{"ref_name":{{"include":[{include}],"exclude":[{exclude}]}}}},"rules":null}}"#
            );
            serde_json::from_str(&json.replace(",\"rules\":null", "")).unwrap()
        };
        assert!(set(r#""refs/tags/v*""#, "").covers("v*"));
        assert!(set(r#""~ALL""#, "").covers("v*"));
        assert!(!set(r#""refs/tags/v1*""#, "").covers("v*"));
        assert!(!set(r#""~ALL""#, r#""refs/tags/v0*""#).covers("v*"), "an exception is a hole");
        assert_eq!(set("", "").bypassers(), None);
    }
}
