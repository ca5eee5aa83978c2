//! Text values of a policy file that have a form. Each type checks its own.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, de};

use crate::domain::policy::Pattern;

/// Declares a text type with a form: a newtype whose conversion checks the form, and whose schema
/// describes it.
macro_rules! word {
    ($(#[doc = $doc:literal])+ $name:ident, $check:path, { $($schema:tt)* }) => {
        $(#[doc = $doc])+
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
        pub struct $name(String);

        impl $name {
            /// Returns the text as written.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = String;

            fn try_from(text: String) -> Result<Self, String> {
                $check(&text)?;
                Ok(Self(text))
            }
        }

        // Not derived by `try_from`, so that the deserializer learns the type's name.
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Word;
                impl<'de> serde::de::Visitor<'de> for Word {
                    type Value = $name;

                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str("text")
                    }

                    fn visit_newtype_struct<D: serde::Deserializer<'de>>(self, inner: D) -> Result<$name, D::Error> {
                        let text = <String as serde::Deserialize>::deserialize(inner)?;
                        $name::try_from(text).map_err(serde::de::Error::custom)
                    }
                }
                deserializer.deserialize_newtype_struct(stringify!($name), Word)
            }
        }

        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({
                    "description": concat!($($doc),+).trim(),
                    "type": "string",
                    $($schema)*
                })
            }
        }
    };
}
pub(super) use word;

/// Declares how to read a value that is either one word or a mapping of settings. The deserializer
/// recognises the two by the names of their structs.
macro_rules! word_or_settings {
    ($name:ident, $struct:literal, [$($field:literal),*], $expecting:literal,
     word: $word:expr, settings: $settings:expr, schema: $schema:expr,) => {
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct WordOrSettings;
                impl<'de> serde::de::Visitor<'de> for WordOrSettings {
                    type Value = $name;

                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str($expecting)
                    }

                    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<$name, E> {
                        let read: fn(&str) -> Result<$name, String> = $word;
                        read(text).map_err(E::custom)
                    }

                    fn visit_map<A: serde::de::MapAccess<'de>>(self, map: A) -> Result<$name, A::Error> {
                        serde::Deserialize::deserialize(serde::de::value::MapAccessDeserializer::new(map)).map($settings)
                    }
                }
                deserializer.deserialize_struct($struct, &[$($field),*], WordOrSettings)
            }
        }

        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn inline_schema() -> bool {
                true
            }

            fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
                let schema: fn(&mut schemars::SchemaGenerator) -> schemars::Schema = $schema;
                schema(generator)
            }
        }
    };
}
pub(super) use word_or_settings;

word! {
    /// A glob: `*` matches any text, `?` one character, `[ab]` a set, `{a,b}` alternatives.
    Glob, check_glob, { "minLength": 1, "maxLength": 255 }
}

word! {
    /// One line, up to 255 characters.
    Name, check_name, { "minLength": 1, "maxLength": 255 }
}

word! {
    /// The name of a phase: up to 40 letters, digits, `-` and `_`; not `auto`.
    PhaseName, check_phase_name, { "pattern": "^[\\p{L}\\p{N}][\\p{L}\\p{N}_-]{0,39}$", "not": { "const": "auto" } }
}

word! {
    /// The name of a label, up to 50 characters.
    LabelName, check_label, { "minLength": 1, "maxLength": 50 }
}

word! {
    /// Six hex digits without `#`. Quote it: `"000000"`.
    Color, check_color, { "pattern": "^[0-9A-Fa-f]{6}$" }
}

word! {
    /// One line, up to 100 characters.
    Description, check_description, { "maxLength": 100 }
}

word! {
    /// An account name. The name of an App's account ends in `[bot]`.
    Login, check_login, { "minLength": 1, "maxLength": 100 }
}

word! {
    /// The name of a target of notices: up to 40 lower-case letters, digits, `-` and `_`.
    TargetName, check_target, { "pattern": "^[a-z0-9_-]{1,40}$" }
}

word! {
    /// A top-level key of the policy, `gates.NAME` or `environments.NAME`.
    LockKey, check_lock_key, { "minLength": 1, "maxLength": 300 }
}

/// Keys that an operator can lock.
pub const LOCKABLE: [&str; 17] = [
    "mode",
    "policy_check",
    "ignore",
    "phases",
    "branches",
    "checks",
    "commands",
    "gates",
    "environments",
    "freezes",
    "override",
    "alerts",
    "insight",
    "services",
    "shared",
    "notes",
    "notices",
];

/// Sections in which an operator can lock a single entry.
pub const LOCKABLE_BY_NAME: [&str; 2] = ["gates", "environments"];

impl Glob {
    /// Returns the compiled glob.
    pub fn pattern(&self) -> Result<Pattern, String> {
        Pattern::new(&self.0).map_err(|error| format!("not a glob: {error}"))
    }
}

/// One glob, or a list of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Globs(Vec<Glob>);

impl Globs {
    /// Returns the globs, in the file's order.
    pub fn list(&self) -> &[Glob] {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Globs {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrMore;

        impl<'de> de::Visitor<'de> for OneOrMore {
            type Value = Globs;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a glob or a list of globs")
            }

            fn visit_newtype_struct<D: de::Deserializer<'de>>(self, inner: D) -> Result<Globs, D::Error> {
                inner.deserialize_any(self)
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Globs, E> {
                Glob::try_from(text.to_owned()).map(|glob| Globs(vec![glob])).map_err(E::custom)
            }

            fn visit_seq<A: de::SeqAccess<'de>>(self, mut list: A) -> Result<Globs, A::Error> {
                let mut globs = Vec::new();
                while let Some(glob) = list.next_element()? {
                    globs.push(glob);
                }
                Ok(Globs(globs))
            }
        }

        // This name tells the deserializer that a single word is a glob, too.
        deserializer.deserialize_newtype_struct("Glob", OneOrMore)
    }
}

impl JsonSchema for Globs {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Globs".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let glob = generator.subschema_for::<Glob>();
        schemars::json_schema!({ "oneOf": [glob, { "type": "array", "items": glob, "minItems": 1 }] })
    }
}

fn check_length(text: &str, what: &str, least: usize, most: usize) -> Result<(), String> {
    let length = text.chars().count();
    if length < least {
        return Err(format!("{what} must not be empty"));
    }
    if length > most {
        return Err(format!("{what} has at most {most} characters; this has {length}"));
    }
    if text.chars().any(char::is_control) {
        return Err(format!("{what} is one line without control characters"));
    }
    Ok(())
}

fn check_glob(text: &str) -> Result<(), String> {
    check_length(text, "a glob", 1, 255)?;
    Pattern::new(text).map(drop).map_err(|error| format!("not a glob: {error}"))
}

pub(super) fn check_name(text: &str) -> Result<(), String> {
    check_length(text, "a name", 1, 255)
}

fn check_phase_name(text: &str) -> Result<(), String> {
    check_length(text, "a phase's name", 1, 40)?;
    let inner = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_');
    if !text.starts_with(char::is_alphanumeric) || !text.chars().all(inner) {
        return Err("a phase's name is a word of letters, digits, `-` and `_`".to_owned());
    }
    if text == "auto" {
        return Err("`auto` can't name a phase: `/phase auto` means something else".to_owned());
    }
    Ok(())
}

fn check_label(text: &str) -> Result<(), String> {
    check_length(text, "a label", 1, 50)?;
    if text.trim() != text {
        return Err("a label neither starts nor ends with a space".to_owned());
    }
    Ok(())
}

fn check_color(text: &str) -> Result<(), String> {
    let digits = text.strip_prefix('#').unwrap_or(text);
    if digits.len() != 6 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err("a colour is six hex digits, such as `0072B2`".to_owned());
    }
    if digits.len() != text.len() {
        return Err(format!("a colour is written without `#`: `{digits}`"));
    }
    Ok(())
}

fn check_description(text: &str) -> Result<(), String> {
    check_length(text, "a description", 0, 100)
}

fn check_login(text: &str) -> Result<(), String> {
    check_length(text, "an account name", 1, 100)?;
    if text.starts_with('@') || text.contains(char::is_whitespace) {
        return Err("an account is named without `@` and spaces".to_owned());
    }
    Ok(())
}

fn check_target(text: &str) -> Result<(), String> {
    check_length(text, "a target's name", 1, 40)?;
    if text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_')) {
        Ok(())
    } else {
        Err("a target's name has lower-case letters, digits, `-` and `_`".to_owned())
    }
}

fn check_lock_key(text: &str) -> Result<(), String> {
    check_length(text, "a key", 1, 300)?;
    let named = text.split_once('.').is_some_and(|(top, name)| LOCKABLE_BY_NAME.contains(&top) && !name.is_empty());
    if named || LOCKABLE.contains(&text) {
        return Ok(());
    }
    let known = crate::policy::problem::list(LOCKABLE);
    Err(format!("no such key can be locked; known here: {known}, `gates.NAME`, `environments.NAME`"))
}
