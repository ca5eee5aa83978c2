//! A parser for the necessary part of GraphQL: one operation with variables, arguments, input
//! objects, lists, aliases and nested selections.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// A requested field.
#[derive(Debug, PartialEq)]
pub(super) struct Field {
    pub(super) alias: String,
    pub(super) name: String,
    pub(super) arguments: BTreeMap<String, Value>,
    pub(super) fields: Vec<Field>,
}

/// A requested operation: its fields, and whether it is a mutation.
pub(super) struct Operation {
    pub(super) mutation: bool,
    pub(super) fields: Vec<Field>,
}

/// Parses a document. The error names what was not understood.
pub(super) fn parse(text: &str, variables: &Value) -> Result<Operation, String> {
    let tokens = tokens(text);
    let mut parser = Parser { tokens: &tokens, at: 0, variables };
    let mutation = parser.peek() == Some("mutation");
    // `query Name($a: T!)`: skips everything before the first selection.
    while parser.peek().is_some_and(|t| t != "{") {
        parser.at += 1;
    }
    Ok(Operation { mutation, fields: parser.selection()? })
}

/// Returns the selected fields of `value`. An unknown field is an error, as on GitHub.
pub(super) fn project(value: &Value, fields: &[Field]) -> Result<Value, String> {
    match value {
        Value::Array(list) => list.iter().map(|v| project(v, fields)).collect(),
        Value::Object(known) if !fields.is_empty() => {
            let mut out = Map::new();
            for field in fields {
                if let Some(kind) = field.name.strip_prefix("...") {
                    if known.get("__typename").and_then(Value::as_str) == Some(kind)
                        && let Value::Object(more) = project(value, &field.fields)?
                    {
                        out.extend(more);
                    }
                    continue;
                }
                let found = known.get(&field.name).ok_or_else(|| format!("Field '{}' doesn't exist", field.name))?;
                out.insert(field.alias.clone(), project(found, &field.fields)?);
            }
            Ok(Value::Object(out))
        }
        other => Ok(other.clone()),
    }
}

/// Splits a text into names, numbers, strings (with their opening quote) and signs.
fn tokens(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    let mut rest = text.chars().peekable();
    while let Some(first) = rest.next() {
        if first == '"' {
            let mut word = String::from('"');
            while let Some(next) = rest.next().filter(|c| *c != '"') {
                word.push(if next == '\\' { rest.next().unwrap_or('\\') } else { next });
            }
            out.push(word);
        } else if first == '#' {
            while rest.next_if(|c| *c != '\n').is_some() {}
        } else if first.is_alphanumeric() || "_$-".contains(first) {
            let mut word = String::from(first);
            while let Some(next) = rest.next_if(|c| c.is_alphanumeric() || *c == '_') {
                word.push(next);
            }
            out.push(word);
        } else if !first.is_whitespace() && first != ',' {
            out.push(first.to_string());
        }
    }
    out
}

struct Parser<'a> {
    tokens: &'a [String],
    at: usize,
    variables: &'a Value,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<&'a str> {
        self.tokens.get(self.at).map(String::as_str)
    }

    fn next(&mut self) -> Result<&'a str, String> {
        let token = self.peek().ok_or("the query ends too early")?;
        self.at += 1;
        Ok(token)
    }

    fn eat(&mut self, sign: &str) -> bool {
        let found = self.peek() == Some(sign);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, sign: &str) -> Result<(), String> {
        if self.eat(sign) { Ok(()) } else { Err(format!("expected {sign}, found {:?}", self.peek())) }
    }

    fn selection(&mut self) -> Result<Vec<Field>, String> {
        self.expect("{")?;
        let mut fields = Vec::new();
        while !self.eat("}") {
            fields.push(self.field()?);
        }
        Ok(fields)
    }

    fn field(&mut self) -> Result<Field, String> {
        if self.peek() == Some(".") {
            return self.fragment();
        }
        let mut name = self.next()?.to_owned();
        let mut alias = name.clone();
        if self.eat(":") {
            self.next()?.clone_into(&mut name);
        } else {
            alias.clone_from(&name);
        }
        let mut arguments = BTreeMap::new();
        if self.eat("(") {
            while !self.eat(")") {
                let argument = self.next()?.to_owned();
                self.expect(":")?;
                arguments.insert(argument, self.value()?);
            }
        }
        let fields = if self.peek() == Some("{") { self.selection()? } else { Vec::new() };
        Ok(Field { alias, name, arguments, fields })
    }

    /// Parses `... on Type { … }`, which selects fields of objects of this type only.
    fn fragment(&mut self) -> Result<Field, String> {
        for sign in [".", ".", ".", "on"] {
            self.expect(sign)?;
        }
        let name = format!("...{}", self.next()?);
        Ok(Field { alias: name.clone(), name, arguments: BTreeMap::new(), fields: self.selection()? })
    }

    fn value(&mut self) -> Result<Value, String> {
        let token = self.next()?;
        if token == "{" {
            let mut object = Map::new();
            while !self.eat("}") {
                let name = self.next()?.to_owned();
                self.expect(":")?;
                object.insert(name, self.value()?);
            }
            return Ok(Value::Object(object));
        }
        if token == "[" {
            let mut list = Vec::new();
            while !self.eat("]") {
                list.push(self.value()?);
            }
            return Ok(Value::Array(list));
        }
        if let Some(name) = token.strip_prefix('$') {
            return Ok(self.variables.get(name).cloned().unwrap_or(Value::Null));
        }
        if let Some(text) = token.strip_prefix('"') {
            return Ok(text.into());
        }
        Ok(token.parse::<i64>().map_or_else(|_| token.into(), Value::from))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn selects_what_is_asked_for() {
        let fields = parse(
            r#"query($n: Int!) { repository(owner: "a", name: "b") { it: issue(number: $n) { number } } }"#,
            &json!({ "n": 7 }),
        )
        .unwrap()
        .fields;
        assert_eq!(fields[0].arguments["owner"], "a");
        assert_eq!(fields[0].fields[0].arguments["number"], 7);
        let data = json!({ "repository": { "issue": { "number": 7, "title": "hidden" } } });
        assert_eq!(project(&data, &fields), Ok(json!({ "repository": { "it": { "number": 7 } } })));
        assert!(project(&json!({}), &fields).is_err());
    }
}
