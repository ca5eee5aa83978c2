//! phasebot: tells in which DevOps phase every issue and pull request is, and why.
//!
//! `ARCHITECTURE.md` beside the sources has the map. Imports point one way:
//! `cli` → `http`, `app` → `engine` → `decide`; `policy`, `port` → `domain`; the
//! adapters `forge` and `store` → `port` → `domain`.
//!
//! Without the feature `shell` there is only what decides: `domain`, `decide`,
//! `engine` and `policy`.

pub mod decide;
pub mod domain;
pub mod engine;
pub mod policy;

#[cfg(feature = "shell")]
pub mod alert;
#[cfg(feature = "shell")]
pub mod app;
#[cfg(feature = "shell")]
pub mod cli;
#[cfg(feature = "shell")]
pub mod forge;
#[cfg(feature = "shell")]
pub mod http;
#[cfg(feature = "shell")]
pub mod metric;
#[cfg(feature = "shell")]
pub mod port;
#[cfg(feature = "shell")]
pub mod settings;
#[cfg(feature = "shell")]
pub mod sim;
#[cfg(feature = "shell")]
pub mod store;
#[cfg(feature = "shell")]
pub mod telemetry;
