//! The JSON Schema and the reference page that is generated from it.

use phasebot_core::policy::{load, reference_markdown, schema};
use serde_json::Value;

use super::{accept::CONTRACT, refuse::SAMPLES};

fn json(text: &str) -> Value {
    serde_saphyr::from_str(text).unwrap()
}

fn validator() -> jsonschema::Validator {
    jsonschema::draft202012::new(&schema()).unwrap()
}

#[test]
fn the_schema_is_one() {
    jsonschema::draft202012::meta::validate(&schema()).unwrap();
}

#[test]
fn the_schema_accepts_what_the_parser_accepts() {
    let default = include_str!("../../../config/policy.default.yml");
    let validator = validator();
    for text in [CONTRACT, default, "{}", "mode: ~", "phases: [{ name: plan }]"] {
        load("p.yml", text).unwrap();
        let errors: Vec<String> = validator.iter_errors(&json(text)).map(|e| e.to_string()).collect();
        assert!(errors.is_empty(), "{text}\n{errors:#?}");
    }
}

#[test]
fn the_schema_refuses_what_the_parser_refuses() {
    let validator = validator();
    for sample in SAMPLES {
        assert!(load("p.yml", sample.text).is_err(), "the parser takes {}", sample.text);
        if sample.schema_too {
            assert!(!validator.is_valid(&json(sample.text)), "the schema takes {}", sample.text);
        }
    }
}

#[test]
fn every_key_is_described() {
    fn walk(at: &str, value: &Value, missing: &mut Vec<String>) {
        if let Some(keys) = value.get("properties").and_then(Value::as_object) {
            // The values of an enumeration are described next to it, not inside it.
            let tagged = value.get("description").is_some() && value.get("additionalProperties").is_some();
            let undescribed = keys.iter().filter(|(_, v)| v.get("description").is_none() && !tagged);
            missing.extend(undescribed.map(|(key, _)| format!("{at}.{key}")));
        }
        match value {
            Value::Object(map) => map.iter().for_each(|(key, v)| walk(&format!("{at}.{key}"), v, missing)),
            Value::Array(list) => list.iter().for_each(|v| walk(at, v, missing)),
            _ => {}
        }
    }
    let mut missing = Vec::new();
    walk("", &schema(), &mut missing);
    assert_eq!(missing, Vec::<String>::new());
}

#[test]
fn the_pages_example_is_right() {
    let page = reference_markdown();
    let example = page.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let phases: Vec<String> = load("p.yml", example).unwrap().phases.into_iter().map(|p| p.name).collect();
    assert_eq!(phases, ["plan", "code", "build", "test", "live"]);
}

/// `BLESS=1` rewrites the page.
#[test]
fn the_page_is_up_to_date() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/policy.md");
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(path, reference_markdown()).unwrap();
    }
    let page = std::fs::read_to_string(path).unwrap_or_default();
    assert_eq!(page, reference_markdown(), "run BLESS=1 cargo test -p phasebot-core --test core policy");
}
