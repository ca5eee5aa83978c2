//! Describes the form of a value in words, from its schema.

use std::collections::{BTreeMap, VecDeque};

use serde_json::{Map, Value};

use crate::policy::problem::list;

/// Returns the keys of a mapping's schema.
pub(super) fn properties(schema: &Value) -> Option<&Map<String, Value>> {
    schema.get("properties").and_then(Value::as_object)
}

/// Returns the name of the definition that a value refers to.
pub(super) fn name_of(value: &Value) -> Option<&str> {
    value.get("$ref")?.as_str()?.strip_prefix("#/$defs/")
}

/// Returns the description of a schema, formatted for a table.
pub(super) fn description(schema: &Value) -> String {
    let text = schema.get("description").and_then(Value::as_str).unwrap_or_default();
    text.replace('\n', " ").replace('|', "\\|")
}

/// The forms of a whole schema.
pub(super) struct Forms<'a> {
    root: &'a Value,
    /// Definitions with keys of their own, each with the path that first led to it.
    sections: BTreeMap<String, String>,
    /// Those definitions that the page does not show yet.
    waiting: VecDeque<String>,
}

impl<'a> Forms<'a> {
    pub(super) fn new(root: &'a Value) -> Self {
        Self { root, sections: BTreeMap::new(), waiting: VecDeque::new() }
    }

    /// Returns the next definition that needs a section, with its path.
    pub(super) fn next_section(&mut self) -> Option<(String, String)> {
        let name = self.waiting.pop_front()?;
        Some((self.sections.get(&name)?.clone(), name))
    }

    /// Returns the definitions that are text with a form: name in words, description.
    pub(super) fn texts(&self) -> Vec<(String, String)> {
        let all = self.root.get("$defs").and_then(Value::as_object).into_iter().flatten();
        all.filter(|(_, one)| is_text(one)).map(|(name, one)| (words(name), description(one))).collect()
    }

    /// Returns the definition of that name.
    pub(super) fn definition(&self, name: &str) -> Option<&'a Value> {
        self.root.get("$defs")?.get(name)
    }

    /// Returns the keys of the definition that a value refers to.
    pub(super) fn keys(&self, value: &Value) -> Option<&'a Map<String, Value>> {
        let definition = self.definition(name_of(value)?)?;
        // A mapping without any key counts too: it has an empty set of keys.
        properties(definition)
    }

    /// Returns the form of a value at `path`.
    pub(super) fn of(&mut self, path: &str, schema: &Value) -> String {
        if let Some(name) = name_of(schema) {
            return self.named(path, name);
        }
        let options = schema.get("anyOf").and_then(Value::as_array);
        if let Some(option) = options.and_then(|all| all.iter().find(|one| kind(one) != "null")) {
            return self.of(path, option);
        }
        // One or a list of them.
        if let Some(options) = schema.get("oneOf").and_then(Value::as_array) {
            let forms: Vec<String> = options.iter().map(|one| self.of(path, one)).collect();
            return forms.join(", or ");
        }
        if let Some(value) = schema.get("const") {
            return format!("`{value}`");
        }
        if let Some(items) = schema.get("items") {
            return format!("list: {}", self.of(&format!("{path}[]"), items));
        }
        let values = schema.get("additionalProperties").filter(|values| values.is_object());
        // Else a mapping whose keys are known words and whose values are alike.
        if let Some(values) = values.or_else(|| properties(schema)?.values().next()) {
            return format!("mapping from names to: {}", self.of(&format!("{path}.NAME"), values));
        }
        match kind(schema) {
            "boolean" => "`true` or `false`",
            "integer" => "number",
            _ => "text",
        }
        .to_owned()
    }

    fn named(&mut self, path: &str, name: &str) -> String {
        let Some(definition) = self.definition(name) else { return "text".to_owned() };
        if let Some(words) = enumeration(definition) {
            return words;
        }
        if is_text(definition) {
            return format!("[{}](#kinds-of-text)", words(name));
        }
        if !self.sections.contains_key(name) {
            self.sections.insert(name.to_owned(), path.to_owned());
            self.waiting.push_back(name.to_owned());
        }
        let path = self.sections.get(name).map_or(path, String::as_str);
        // The anchor that forges create for a heading: no punctuation, lower case.
        let anchor: String = path.chars().filter(|c| c.is_alphanumeric() || matches!(c, '_' | '-')).collect();
        format!("[`{path}`](#{})", anchor.to_lowercase())
    }
}

/// Returns true for text with a form, as opposed to a choice of words.
fn is_text(definition: &Value) -> bool {
    kind(definition) == "string" && definition.get("enum").is_none()
}

/// Returns `PhaseName` as people write it: `phase name`.
fn words(name: &str) -> String {
    let mut words = String::new();
    for c in name.chars() {
        if c.is_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.extend(c.to_lowercase());
    }
    words
}

/// Returns the type of a value, other than `null`.
fn kind(schema: &Value) -> &str {
    match schema.get("type") {
        Some(Value::String(kind)) => kind,
        Some(Value::Array(kinds)) => kinds.first().and_then(Value::as_str).unwrap_or_default(),
        _ => "",
    }
}

/// Returns the words of a definition that consists of nothing else.
fn enumeration(definition: &Value) -> Option<String> {
    let listed = definition.get("enum").and_then(Value::as_array);
    let single = definition.get("oneOf").and_then(Value::as_array);
    let words: Vec<&str> = match (listed, single) {
        (Some(words), _) => words.iter().map(Value::as_str).collect::<Option<_>>()?,
        (None, variants) => variants?.iter().map(|one| one.get("const")?.as_str()).collect::<Option<_>>()?,
    };
    Some(list(words))
}
