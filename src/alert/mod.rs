//! Monitoring systems: one file each, with its verification and its payload.
//!
//! To add one, write a file that implements [`crate::port::alert::AlertSource`] and add its name to
//! the settings (`AlertKind`); nothing else knows the kinds.

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
