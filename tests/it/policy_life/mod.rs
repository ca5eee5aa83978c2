//! Life cycle of the policy file in a repository.

mod force;
mod organisation;
mod proposals;
mod world;
mod wrong;
