//! Commits: their ancestry, the branches that they are on, where changes landed and with which pull
//! requests they came, to which services they belong, and the versions among the tags.

pub(crate) mod branches;
pub(crate) mod brought;
pub(crate) mod graph;
pub(crate) mod landing;
pub(crate) mod services;
pub(crate) mod tag_list;
pub(crate) mod versions;
