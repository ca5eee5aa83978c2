//! Reads the inputs that a workflow file declares.

use std::collections::BTreeSet;

use serde_json::Value;

/// Returns the inputs that a workflow declares under `on.workflow_dispatch`; an error if it has no
/// such trigger or is not valid YAML.
pub(super) fn declared_inputs(text: &str) -> Result<BTreeSet<String>, String> {
    let file: Value =
        serde_saphyr::from_str(text).map_err(|_| "it is not valid YAML, so that its inputs are unknown".to_owned())?;
    // YAML 1.1 parsers read the bare word `on` as `true`.
    let on = file.get("on").or_else(|| file.get("true"));
    let none = || "it has no `on: workflow_dispatch`".to_owned();
    match on {
        Some(Value::String(event)) if event == "workflow_dispatch" => Ok(BTreeSet::new()),
        Some(Value::Array(events)) if events.iter().any(|event| event == "workflow_dispatch") => Ok(BTreeSet::new()),
        Some(Value::Object(events)) => {
            let dispatch = events.get("workflow_dispatch").ok_or_else(none)?;
            let inputs = dispatch.get("inputs").and_then(Value::as_object);
            Ok(inputs.into_iter().flat_map(|inputs| inputs.keys().cloned()).collect())
        }
        _ => Err(none()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_are_read_in_every_form_of_on() {
        let read = |text: &str| declared_inputs(text).map(|inputs| inputs.into_iter().collect::<Vec<_>>());
        assert_eq!(read("on: workflow_dispatch\njobs: {}"), Ok(vec![]));
        assert_eq!(read("on: [push, workflow_dispatch]"), Ok(vec![]));
        assert_eq!(read("on:\n  workflow_dispatch:\n  push:"), Ok(vec![]));
        assert_eq!(
            read("on:\n  workflow_dispatch:\n    inputs:\n      phasebot_sha: { required: true }\n      region: {}\n"),
            Ok(vec!["phasebot_sha".to_owned(), "region".to_owned()])
        );
        for text in ["on: push", "on: { push: { branches: [main] } }", "jobs: {}", "on: [", "", "- a"] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
