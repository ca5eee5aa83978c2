//! GitHub's deliveries: are they genuine, where do they belong, what do they say.

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
