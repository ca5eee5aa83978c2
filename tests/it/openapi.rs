//! Checks requests, answers and webhooks against GitHub's OpenAPI description.
//!
//! `tests/fixtures/openapi-subset.json` contains the part that the simulated forge serves;
//! `scripts/vendor-openapi` generates it. A request outside of it fails: serve it in
//! `crates/forge-sim/src/route`, then run the script.

use std::{
    collections::{BTreeSet, HashMap},
    fs,
    path::{Path, PathBuf},
    sync::{Arc, LazyLock, Mutex, PoisonError},
};

use jsonschema::{Draft, Validator};
use phasebot_forge_sim::{Delivery, Exchange};
use serde_json::{Map, Value, json};

/// Returns the folder of the public data packages: `PHASEBOT_CORPORA`, else `target/corpora`.
pub fn corpora() -> PathBuf {
    std::env::var_os("PHASEBOT_CORPORA")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target/corpora"), PathBuf::from)
}

static DESCRIPTION: LazyLock<Description> = LazyLock::new(|| Description::read("openapi-subset.json"));

/// PlanetScale's description, cut to the operations that phasebot may use.
static PLANETSCALE: LazyLock<Description> = LazyLock::new(|| Description::read("planetscale/openapi-subset.json"));

/// Checks that the bot may send this request to PlanetScale, and that PlanetScale would answer like
/// this.
pub fn check_planetscale(exchange: &Exchange) -> Result<(), String> {
    let at = |why: String| format!("{} {}: {why}", exchange.method, exchange.path);
    let operation = PLANETSCALE.operation(exchange).map_err(at)?;
    PLANETSCALE.parameters(operation, "path", &exchange.params).map_err(at)?;
    PLANETSCALE.parameters(operation, "query", &exchange.query).map_err(at)?;
    let schema = operation.pointer("/requestBody/content/application~1json/schema");
    match (&exchange.request, schema) {
        (None, _) => {}
        (Some(_), None) => return Err(at("the operation takes no body".to_owned())),
        (Some(sent), Some(schema)) => {
            PLANETSCALE.validate(&format!("{} request", exchange.name()), schema, sent).map_err(at)?;
        }
    }
    // Errors have no description.
    let (Some(200), Some(shown)) = (exchange.status, &exchange.response) else { return Ok(()) };
    let schema = operation.pointer("/responses/200/content/application~1json/schema");
    let schema = schema.ok_or_else(|| at("the operation has no such answer".to_owned()))?;
    PLANETSCALE.validate(&format!("{} 200", exchange.name()), schema, shown).map_err(at)
}

/// Checks that the bot may send this request, and that GitHub would answer like this.
pub fn check_exchange(exchange: &Exchange) -> Result<(), String> {
    check_request(exchange)?;
    check_response(exchange)
}

/// Checks that a request is one that GitHub accepts.
pub fn check_request(exchange: &Exchange) -> Result<(), String> {
    let at = |why: String| format!("{} {}: {why}", exchange.method, exchange.path);
    if exchange.route == "/graphql" {
        let query = exchange.request.as_ref().and_then(|b| b.get("query")).and_then(Value::as_str);
        return query.map(|_| ()).ok_or_else(|| at("a GraphQL request needs a query".to_owned()));
    }
    let operation = DESCRIPTION.operation(exchange).map_err(at)?;
    DESCRIPTION.parameters(operation, "path", &exchange.params).map_err(at)?;
    DESCRIPTION.parameters(operation, "query", &exchange.query).map_err(at)?;
    let body = operation.get("requestBody").map(|b| DESCRIPTION.followed(b));
    let schema = body.and_then(|b| b.pointer("/content/application~1json/schema"));
    match (&exchange.request, schema) {
        (Some(_), None) => Err(at("the operation takes no body".to_owned())),
        (None, Some(_)) if body.is_some_and(|b| b["required"] == true) => Err(at("the body is missing".to_owned())),
        (None, _) => Ok(()),
        (Some(sent), Some(schema)) => {
            // The description allows further fields; an unknown field is nevertheless our mistake.
            if let (Some(known), Some(sent)) = (schema.get("properties").and_then(Value::as_object), sent.as_object())
                && let Some(unknown) = sent.keys().find(|k| !known.contains_key(*k))
            {
                return Err(at(format!("the body's field {unknown} is unknown")));
            }
            DESCRIPTION.validate(&format!("{} request", exchange.name()), schema, sent).map_err(at)
        }
    }
}

/// Checks that an answer is one that GitHub would give.
pub fn check_response(exchange: &Exchange) -> Result<(), String> {
    let Some(status) = exchange.status else { return Ok(()) };
    let at = |why: String| format!("{} {} → {status}: {why}", exchange.method, exchange.path);
    let shown = exchange.response.as_ref();
    if exchange.route == "/graphql" && status == 200 {
        let data = shown.is_some_and(|b| b.get("data").is_some());
        return if data { Ok(()) } else { Err(at("a GraphQL answer needs data".to_owned())) };
    }
    let listed = match DESCRIPTION.operation(exchange) {
        Ok(operation) => operation["responses"].get(status.to_string()).map(|r| DESCRIPTION.followed(r)),
        Err(why) if exchange.route != "/graphql" => return Err(at(why)),
        Err(_) => None,
    };
    if let Some(response) = listed {
        let schema = response.pointer("/content/application~1json/schema");
        return match (schema, shown) {
            (Some(schema), Some(body)) => {
                DESCRIPTION.validate(&format!("{} {status}", exchange.name()), schema, body).map_err(at)
            }
            (Some(_), None) => Err(at("the body is missing".to_owned())),
            (None, Some(_)) if status == 204 => Err(at("there must be no body".to_owned())),
            (None, _) => Ok(()),
        };
    }
    // Not listed for every operation, but documented for all of them.
    match status {
        304 if shown.is_none() => Ok(()),
        301 | 307 | 400 | 401 | 403 | 404 | 410 | 422 | 429 | 502 => {
            let body = shown.ok_or_else(|| at("the body is missing".to_owned()))?;
            DESCRIPTION.validate("error", &json!({ "$ref": "#/components/schemas/basic-error" }), body).map_err(at)
        }
        _ => Err(at("the operation has no such status".to_owned())),
    }
}

/// Checks that a webhook's payload is one that GitHub would send.
pub fn check_delivery(delivery: &Delivery) -> Result<(), String> {
    let mut name = delivery.event.replace('_', "-");
    if let Some(action) = &delivery.action {
        name = format!("{name}-{}", action.replace('_', "-"));
    }
    let pointer = format!("/x-webhooks/{name}/post/requestBody/content/application~1json/schema");
    let schema =
        DESCRIPTION.document.pointer(&pointer).ok_or_else(|| format!("webhook {name} is not in the description"))?;
    DESCRIPTION.validate(&name, schema, &delivery.payload).map_err(|why| format!("webhook {name}: {why}"))
}

struct Description {
    document: Value,
    validators: Mutex<HashMap<String, Arc<Validator>>>,
}

impl Description {
    fn read(file: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(file);
        let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        Self::new(serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display())))
    }

    fn new(mut document: Value) -> Self {
        // A mistake in the description: here it requires an account to be a user *and* an
        // enterprise, everywhere else one of the two.
        let account =
            "/paths/~1app~1installations/get/responses/200/content/application~1json/schema/items/properties/account";
        if let Some(Value::Object(account)) = document.pointer_mut(account)
            && let Some(both) = account.remove("allOf")
        {
            account.insert("anyOf".to_owned(), both);
        }
        Self { document: as_draft_4(document), validators: Mutex::default() }
    }

    fn operation(&self, exchange: &Exchange) -> Result<&Value, String> {
        let found = self.document["paths"].get(&exchange.route).and_then(|p| p.get(exchange.method.to_lowercase()));
        found.ok_or_else(|| format!("{} is not in the description", exchange.name()))
    }

    /// Returns the target of a reference, or the value itself.
    fn followed<'a>(&'a self, value: &'a Value) -> &'a Value {
        let target = value.get("$ref").and_then(Value::as_str).and_then(|r| self.document.pointer(&r[1..]));
        target.unwrap_or(value)
    }

    /// Checks that every parameter sent is known and valid, and that every required one is sent.
    fn parameters(&self, operation: &Value, place: &str, sent: &[(String, String)]) -> Result<(), String> {
        let none = Vec::new();
        let all = operation.get("parameters").and_then(Value::as_array).unwrap_or(&none);
        let known: Vec<&Value> = all.iter().map(|p| self.followed(p)).filter(|p| p["in"] == place).collect();
        for (name, value) in sent {
            let parameter = known.iter().find(|p| p["name"] == name.as_str());
            let schema = &parameter.ok_or_else(|| format!("unknown {place} parameter {name}"))?["schema"];
            let schema = self.followed(schema);
            let text = || Value::from(value.as_str());
            let typed = match schema["type"].as_str() {
                Some("integer") => value.parse::<i64>().map_or_else(|_| text(), Value::from),
                Some("boolean") => value.parse::<bool>().map_or_else(|_| text(), Value::from),
                _ => text(),
            };
            let key = format!("{place} parameter {name} {schema}");
            self.validate(&key, schema, &typed).map_err(|why| format!("{place} parameter {name}={value}: {why}"))?;
        }
        let required = |p: &&&Value| p["required"] == true && !sent.iter().any(|(name, _)| p["name"] == name.as_str());
        match known.iter().find(required) {
            Some(missing) => Err(format!("{place} parameter {} is missing", missing["name"])),
            None => Ok(()),
        }
    }

    fn validate(&self, key: &str, schema: &Value, value: &Value) -> Result<(), String> {
        let known = self.validators.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned();
        let validator = if let Some(validator) = known {
            validator
        } else {
            let made = Arc::new(self.validator(schema)?);
            self.validators.lock().unwrap_or_else(PoisonError::into_inner).insert(key.to_owned(), made.clone());
            made
        };
        let errors: Vec<String> =
            validator.iter_errors(value).take(5).map(|e| format!("at {}: {e}", e.instance_path())).collect();
        if errors.is_empty() { Ok(()) } else { Err(errors.join("; ")) }
    }

    fn validator(&self, schema: &Value) -> Result<Validator, String> {
        let mut names = BTreeSet::new();
        self.references(schema, &mut names);
        let mut document = json!({ "allOf": [schema], "components": { "schemas": {} } });
        for name in names {
            document["components"]["schemas"][&name] = self.document["components"]["schemas"][&name].clone();
        }
        jsonschema::options()
            .with_draft(Draft::Draft4)
            .should_validate_formats(true)
            // GitHub sends an empty string for a missing address.
            .with_format("uri", |text: &str| text.is_empty() || reqwest::Url::parse(text).is_ok())
            .build(&document)
            .map_err(|e| e.to_string())
    }

    fn references(&self, value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(map) => {
                let target =
                    map.get("$ref").and_then(Value::as_str).and_then(|r| r.strip_prefix("#/components/schemas/"));
                if let Some(name) = target
                    && found.insert(name.to_owned())
                {
                    self.references(&self.document["components"]["schemas"][name], found);
                }
                map.values().for_each(|v| self.references(v, found));
            }
            Value::Array(list) => list.iter().for_each(|v| self.references(v, found)),
            _ => {}
        }
    }
}

/// Converts OpenAPI 3.0 to draft 4 of JSON Schema: they are similar, but OpenAPI writes "or null"
/// in its own way.
fn as_draft_4(value: Value) -> Value {
    match value {
        Value::Array(list) => list.into_iter().map(as_draft_4).collect(),
        Value::Object(map) => {
            let nullable = map.get("nullable") == Some(&Value::Bool(true));
            let mut out: Map<String, Value> =
                map.into_iter().filter(|(k, _)| k != "nullable").map(|(k, v)| (k, as_draft_4(v))).collect();
            if !nullable {
                return Value::Object(out);
            }
            if let Some(Value::Array(allowed)) = out.get_mut("enum") {
                allowed.push(Value::Null);
            }
            let kind = out.get("type").and_then(Value::as_str).map(str::to_owned);
            match kind {
                Some(kind) => {
                    out.insert("type".to_owned(), json!([kind, "null"]));
                    Value::Object(out)
                }
                None => json!({ "anyOf": [out, { "type": "null" }] }),
            }
        }
        other => other,
    }
}
