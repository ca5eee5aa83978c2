//! Commits: their ancestry, the branches that they are on, where changes landed, to which services
//! they belong, and the versions among the tags.

pub(crate) mod branches;
pub(crate) mod graph;
pub(crate) mod landing;
pub(crate) mod services;
pub(crate) mod tag_list;
pub(crate) mod versions;
