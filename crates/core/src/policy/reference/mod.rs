//! Generates `docs/policy.md`: every key, from the JSON Schema.

mod form;

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::policy::{
    reference::form::{Forms, description, name_of, properties},
    schema,
};

/// The rules, written by hand. The keys follow them.
const INTRO: &str = include_str!("intro.md");

/// Returns the whole page, in Markdown.
pub fn reference_markdown() -> String {
    let root = schema();
    let mut page = Page { forms: Forms::new(&root), text: INTRO.to_owned(), seen: BTreeSet::new() };
    page.line("\n## Every key\n");
    page.keys("", properties(&root).into_iter().flatten(), &root);
    while let Some((path, name)) = page.forms.next_section() {
        page.section(&path, &name);
    }
    page.line("## Kinds of text\n\n| kind | |\n| --- | --- |");
    for (name, about) in page.forms.texts() {
        page.line(format!("| {name} | {about} |"));
    }
    page.text
}

struct Page<'a> {
    forms: Forms<'a>,
    text: String,
    /// Settings of variants that the page already shows.
    seen: BTreeSet<String>,
}

impl<'a> Page<'a> {
    fn line(&mut self, line: impl AsRef<str>) {
        self.text.push_str(line.as_ref());
        self.text.push('\n');
    }

    /// Writes a table of keys; `owner` says which are required.
    fn keys(&mut self, path: &str, keys: impl Iterator<Item = (&'a String, &'a Value)>, owner: &Value) {
        let required = owner.get("required").and_then(Value::as_array);
        self.line("| key | value | |\n| --- | --- | --- |");
        for (key, schema) in keys {
            let here = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            let form = self.forms.of(&here, schema);
            let needed = required.is_some_and(|all| all.iter().any(|one| one == key));
            let needed = if needed { " Required." } else { "" };
            self.line(format!("| `{key}` | {} | {}{needed} |", form, description(schema)));
        }
        self.line("");
    }

    fn section(&mut self, path: &str, name: &str) {
        let Some(definition) = self.forms.definition(name) else { return };
        self.line(format!("### `{path}`\n\n{}\n", description(definition)));
        match definition.get("oneOf").and_then(Value::as_array) {
            Some(variants) => self.variants(path, variants),
            None => self.keys(path, properties(definition).into_iter().flatten(), definition),
        }
    }

    /// Writes a value that is a word, or a mapping from a word to its settings.
    fn variants(&mut self, path: &str, variants: &'a [Value]) {
        let settings: Vec<(&String, &'a Value)> =
            variants.iter().filter_map(properties).filter_map(|keys| keys.iter().next()).collect();
        let alone: Vec<&str> =
            variants.iter().filter_map(|v| v.get("enum")?.as_array()).flatten().filter_map(Value::as_str).collect();
        let common = self.common(&settings);

        self.line("| word | settings | |\n| --- | --- | --- |");
        for variant in variants {
            if let Some(word) = variant.get("const").and_then(Value::as_str) {
                self.line(format!("| `{word}` | none | {} |", description(variant)));
            }
            let Some((word, value)) = properties(variant).and_then(|keys| keys.iter().next()) else { continue };
            let own: Option<Vec<String>> = self
                .forms
                .keys(value)
                .map(|keys| keys.keys().filter(|key| !common.contains(key)).map(|key| format!("`{key}`")).collect());
            let words = own.map_or_else(|| self.forms.of(path, value), |own| own.join(", "));
            let needed = if alone.contains(&word.as_str()) { "" } else { " (required)" };
            self.line(format!("| `{word}` | {words}{needed} | {} |", description(variant)));
        }
        self.line("");
        self.own_settings(path, &settings, &common);
        if let Some(keys) = settings.first().and_then(|(_, value)| self.forms.keys(value))
            && !common.is_empty()
        {
            self.line("Each of them also takes:\n");
            self.keys(path, keys.iter().filter(|(key, _)| common.contains(key)), &Value::Null);
        }
    }

    /// Writes a table for each set of settings that not all variants have.
    fn own_settings(&mut self, path: &str, settings: &[(&String, &'a Value)], common: &[&String]) {
        for (_, value) in settings {
            let (Some(name), Some(keys)) = (name_of(value), self.forms.keys(value)) else { continue };
            let own: Vec<_> = keys.iter().filter(|(key, _)| !common.contains(key)).collect();
            let Some(definition) = self.forms.definition(name).filter(|_| !own.is_empty()) else { continue };
            if self.seen.insert(name.to_owned()) {
                self.line(format!("{}\n", description(definition)));
                self.keys(path, own.into_iter(), definition);
            }
        }
    }

    /// Returns the settings that every variant has.
    fn common(&self, settings: &[(&String, &'a Value)]) -> Vec<&'a String> {
        let all: Vec<&Map<String, Value>> = settings.iter().filter_map(|(_, value)| self.forms.keys(value)).collect();
        let Some(first) = all.first().filter(|_| all.len() == settings.len()) else { return Vec::new() };
        first.keys().filter(|key| all.iter().all(|keys| keys.contains_key(*key))).collect()
    }
}
