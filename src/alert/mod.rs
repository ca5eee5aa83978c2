//! Monitoring systems: one file each, with its verification and its payload.
//!
//! To add one, write a file that implements [`crate::port::alert::AlertSource`], or a row of
//! `preset.rs` if it sends a token and plain fields, and add its name to the settings
//! (`AlertKind`); the compiler then leads to `cli/alerts.rs`. A system that is asked, too, such as
//! PlanetScale, has a folder of its own in `database`.

mod alertmanager;
mod generic;
mod grafana;
mod pagerduty;
mod preset;
mod sentry;
mod single;
mod swap;

pub use crate::alert::alertmanager::Alertmanager;
pub use crate::alert::generic::{Fields, Generic, Kind, Proof};
pub use crate::alert::grafana::{Grafana, Headers};
pub use crate::alert::pagerduty::PagerDuty;
pub use crate::alert::preset::{DATADOG, HONEYBADGER, NEW_RELIC, Preset, PresetSource};
pub use crate::alert::sentry::Sentry;
pub use crate::alert::swap::Swap;
