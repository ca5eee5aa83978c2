//! The JSON Schema of the policy file, for editors.

use schemars::generate::SchemaSettings;

use crate::policy::file::PolicyFile;

/// Returns the schema, draft 2020-12. It accepts everything that [`crate::policy::parse`] accepts.
/// Some mistakes can't be expressed in it (two phases with one label, an unknown time zone); only
/// [`crate::policy::parse`] rejects those.
pub fn schema() -> serde_json::Value {
    let mut schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<PolicyFile>();
    schema.insert("title".to_owned(), "phasebot policy".into());
    schema.to_value()
}
