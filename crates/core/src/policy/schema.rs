//! The JSON Schema of the policy file, for editors.

use schemars::generate::SchemaSettings;

use crate::policy::file::PolicyFile;

/// The schema, draft 2020-12. It accepts what [`crate::policy::parse`] accepts; what
/// it can't say (two phases with one label, an unknown time zone) only
/// [`crate::policy::parse`] refuses.
pub fn schema() -> serde_json::Value {
    let mut schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<PolicyFile>();
    schema.insert("title".to_owned(), "phasebot policy".into());
    schema.to_value()
}
