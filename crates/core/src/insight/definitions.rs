//! Generates `docs/metrics.md`: the definition of every figure, from the doc comments of its type.

use std::fmt::Write as _;

use serde_json::Value;

use crate::insight::figures::Figures;

/// What the figures have in common, written by hand.
const INTRO: &str = include_str!("definitions.md");

/// Sections of the page: the key in [`Figures`], and the title.
const SECTIONS: [(&str, &str); 9] = [
    ("lead_time", "Change lead time"),
    ("deployment_frequency", "Deployment frequency"),
    ("change_fail_rate", "Change fail rate"),
    ("recovery_time", "Failed deployment recovery time"),
    ("rework_rate", "Deployment rework rate"),
    ("incidents", "Incidents"),
    ("flow", "Flow"),
    ("gate_waits", "Gate waits"),
    ("basis", "What figures are about"),
];

/// Returns the whole page, in Markdown.
pub fn definitions_markdown() -> String {
    let root = schemars::schema_for!(Figures).to_value();
    let mut page = INTRO.to_owned();
    let mut seen = Vec::new();
    // Writing to a String cannot fail.
    for (key, title) in SECTIONS {
        let found = root.pointer(&format!("/properties/{key}")).and_then(|schema| named(&root, schema));
        let _ = write!(page, "\n## {title}\n");
        if let Some((name, schema)) = found {
            section(&mut page, &root, schema);
            seen.push(name);
            parts(&mut page, &root, schema, &mut seen);
        }
    }
    page
}

/// Returns the definition that a schema, or its items, refer to.
fn named<'s>(root: &'s Value, schema: &'s Value) -> Option<(&'s str, &'s Value)> {
    let of = |schema: &'s Value| schema.get("$ref").and_then(Value::as_str);
    let any = || schema.get("anyOf").and_then(Value::as_array).and_then(|any| any.iter().find_map(of));
    let reference = of(schema).or_else(|| schema.get("items").and_then(of)).or_else(any)?;
    let name = reference.strip_prefix("#/$defs/")?;
    Some((name, root.get("$defs")?.get(name)?))
}

fn description(schema: &Value) -> String {
    schema.get("description").and_then(Value::as_str).unwrap_or_default().replace('\n', " ")
}

fn section(page: &mut String, root: &Value, schema: &Value) {
    let _ = write!(page, "\n{}\n\n| key | meaning |\n| --- | --- |\n", description(schema));
    for (key, field) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        let spread = named(root, field).filter(|(name, _)| *name == "Spread");
        let spread = spread.map_or("", |_| " A [spread](#spreads).");
        let _ = writeln!(page, "| `{key}` | {}{spread} |", description(field));
    }
}

/// Adds the tables of what a section consists of, each once.
fn parts<'s>(page: &mut String, root: &'s Value, schema: &'s Value, seen: &mut Vec<&'s str>) {
    for (key, field) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        let Some((name, part)) =
            named(root, field).filter(|(name, _)| !["Spread", "Share"].contains(name) && !seen.contains(name))
        else {
            continue;
        };
        seen.push(name);
        let _ = write!(page, "\n### `{key}`\n");
        section(page, root, part);
        parts(page, root, part, seen);
    }
}
