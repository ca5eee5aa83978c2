//! Verification, routing and decoding of GitHub's deliveries.

mod checks;
mod corpus;
mod deploys;
pub mod fixture;
mod installations;
mod items;
mod mutants;
mod pushes;
mod routing;
mod signatures;
