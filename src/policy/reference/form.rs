//! How a value is written, in words, from its schema.

use serde_json::{Map, Value};

/// How a value is written.
pub(super) struct Form {
    /// In words.
    pub(super) words: String,
    /// The definition with keys of its own that it leads to, and the path to there.
    pub(super) leads_to: Option<(String, String)>,
}

impl From<String> for Form {
    fn from(words: String) -> Self {
        Self { words, leads_to: None }
    }
}

/// The keys of a mapping's schema.
pub(super) fn properties(schema: &Value) -> Option<&Map<String, Value>> {
    schema.get("properties").and_then(Value::as_object)
}

/// The description of a schema, fit for a table.
pub(super) fn description(schema: &Value) -> String {
    let text = schema.get("description").and_then(Value::as_str).unwrap_or_default();
    text.replace('\n', " ").replace('|', "\\|")
}

/// The forms of a whole schema.
pub(super) struct Forms<'a> {
    pub(super) root: &'a Value,
}

impl<'a> Forms<'a> {
    /// The definition of that name.
    pub(super) fn definition(&self, name: &str) -> Option<&'a Value> {
        self.root.get("$defs")?.get(name)
    }

    /// The name of the definition that a value refers to.
    pub(super) fn name<'b>(&self, value: &'b Value) -> Option<&'b str> {
        value.get("$ref")?.as_str()?.strip_prefix("#/$defs/")
    }

    /// The keys of the definition that a value refers to.
    pub(super) fn keys(&self, value: &Value) -> Option<&'a Map<String, Value>> {
        let definition = self.definition(self.name(value)?)?;
        // A mapping without any key has keys too, namely none.
        properties(definition)
    }

    /// How a value at `path` is written.
    pub(super) fn of(&self, path: &str, schema: &Value) -> Form {
        if let Some(name) = self.name(schema) {
            return self.named(path, name);
        }
        let options = schema.get("anyOf").and_then(Value::as_array);
        if let Some(option) = options.and_then(|all| all.iter().find(|one| kind(one) != "null")) {
            return self.of(path, option);
        }
        if let Some(value) = schema.get("const") {
            return format!("`{value}`").into();
        }
        if let Some(items) = schema.get("items") {
            let form = self.of(&format!("{path}[]"), items);
            return Form { words: format!("list: {}", form.words), ..form };
        }
        if let Some(values) = schema.get("additionalProperties").filter(|values| values.is_object()) {
            let form = self.of(&format!("{path}.NAME"), values);
            return Form { words: format!("mapping, from names to: {}", form.words), ..form };
        }
        if let Some(values) = properties(schema).and_then(|keys| keys.values().next()) {
            // A mapping whose keys are known words and whose values are alike.
            let form = self.of(&format!("{path}.NAME"), values);
            return Form { words: format!("mapping, from names to: {}", form.words), ..form };
        }
        let words = match kind(schema) {
            "boolean" => "`true` or `false`",
            "integer" => "number",
            _ => "text",
        };
        words.to_owned().into()
    }

    fn named(&self, path: &str, name: &str) -> Form {
        let Some(definition) = self.definition(name) else { return "text".to_owned().into() };
        if let Some(words) = enumeration(definition) {
            return words.into();
        }
        if kind(definition) == "string" {
            return description(definition).trim_end_matches('.').to_owned().into();
        }
        let anchor: String = path.chars().filter(|c| c.is_alphanumeric() || matches!(c, '_' | '-')).collect();
        let words = format!("[`{path}`](#{})", anchor.to_lowercase());
        Form { words, leads_to: Some((path.to_owned(), name.to_owned())) }
    }
}

/// The one type of a value, beside `null`.
fn kind(schema: &Value) -> &str {
    match schema.get("type") {
        Some(Value::String(kind)) => kind,
        Some(Value::Array(kinds)) => kinds.first().and_then(Value::as_str).unwrap_or_default(),
        _ => "",
    }
}

/// The words of a definition that consists of nothing else.
fn enumeration(definition: &Value) -> Option<String> {
    let words: Vec<String> = match definition.get("oneOf").and_then(Value::as_array) {
        Some(variants) => {
            variants.iter().map(|v| Some(format!("`{}`", v.get("const")?.as_str()?))).collect::<Option<_>>()?
        }
        None => {
            let values = definition.get("enum").and_then(Value::as_array)?;
            values.iter().filter_map(Value::as_str).map(|word| format!("`{word}`")).collect()
        }
    };
    Some(words.join(", "))
}
