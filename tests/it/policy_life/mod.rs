//! The policy file's life in a repository.

mod force;
mod organisation;
mod proposals;
mod world;
mod wrong;
