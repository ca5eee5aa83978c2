//! phasebot labels every issue and pull request with its DevOps phase, and says why.
//!
//! `ARCHITECTURE.md` beside the sources has the map. This crate acts; what it
//! does is decided in `phasebot-core`. Imports point one way: `cli` → `http`,
//! `app` → `port`; the adapters `forge` and `store` → `port`.

pub mod alert;
pub mod app;
pub mod cli;
pub mod database;
pub mod external;
pub mod forge;
pub mod http;
pub mod metric;
pub mod notify;
pub mod port;
mod sender;
pub mod settings;
pub mod store;
pub mod telemetry;
pub mod version;
pub mod web;

pub use phasebot_core::{command, deploy, domain, engine, gate, incident, ingest, insight, phase, plan, policy, text};
