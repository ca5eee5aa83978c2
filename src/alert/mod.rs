//! Monitoring systems: one file each, with its verification and its payload.
//!
//! To add one, write a file that implements [`crate::port::alert::AlertSource`] and add its name to
//! the settings (`AlertKind`); the compiler then leads to `cli/alerts.rs`.

mod alertmanager;
mod generic;
mod grafana;
mod planetscale;
mod swap;

pub use crate::alert::alertmanager::Alertmanager;
pub use crate::alert::generic::{Fields, Generic, Kind};
pub use crate::alert::grafana::{Grafana, Headers};
pub use crate::alert::planetscale::PlanetScale;
pub use crate::alert::swap::Swap;
