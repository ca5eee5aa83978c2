//! Monitoring systems: one file each, with its proof of origin and its words.
//!
//! Another one takes a file that implements [`crate::port::alert::AlertSource`]
//! and a name in the settings (`AlertKind`); nothing else knows the kinds.

mod alertmanager;
mod generic;
mod grafana;
mod json;
mod planetscale;
mod proof;
mod swap;

pub use alertmanager::Alertmanager;
pub use generic::{Fields, Generic, Kind};
pub use grafana::{Grafana, Headers};
pub use planetscale::PlanetScale;
pub use swap::Swap;
