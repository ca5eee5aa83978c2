//! Commits: which contains which, where a change landed, on which branches a
//! commit is, and the versions among the tags.

pub(crate) mod branches;
pub(crate) mod graph;
pub(crate) mod landing;
pub(crate) mod tag_list;
pub(crate) mod versions;
