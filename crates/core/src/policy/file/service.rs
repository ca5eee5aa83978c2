//! Services of a repository.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::policy::file::text::{Globs, LabelName};

/// A service: the paths, tags and environments that belong to it. In its globs, `*` matches `/`,
/// too.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename = "Service")]
pub struct ServiceFile {
    /// Files of the service, such as `apps/web/**`. A change that touches one of them, by its old
    /// or new name, belongs to the service.
    pub paths: Option<Globs>,
    /// Version tags of the service, such as `web-v*`. Default: the tags that no service claims.
    pub tags: Option<Globs>,
    /// Environments of the service, compared without case. Default: the environments that no
    /// service claims.
    pub environments: Option<Globs>,
    /// A label for the issues and pull requests that belong to the service, once their change was
    /// merged: `service/web`. Default: none.
    pub label: Option<LabelName>,
}

impl ServiceFile {
    /// Returns its lists, with their keys.
    pub fn lists(&self) -> impl Iterator<Item = (&'static str, &Globs)> {
        let lists = [("paths", &self.paths), ("tags", &self.tags), ("environments", &self.environments)];
        lists.into_iter().filter_map(|(key, list)| Some((key, list.as_ref()?)))
    }

    /// Returns the number of globs in it.
    pub fn globs(&self) -> usize {
        self.lists().map(|(_, list)| list.list().len()).sum()
    }
}
