//! phasebot: tells in which DevOps phase every issue and pull request is, and why.
//!
//! `ARCHITECTURE.md` beside the sources has the map. Imports point one way:
//! `cli` → `http`, `app` → `decide`, `policy`, `port` → `domain`; the adapters
//! `forge` and `store` → `port` → `domain`.

pub mod alert;
pub mod app;
pub mod cli;
pub mod decide;
pub mod domain;
pub mod forge;
pub mod http;
pub mod metric;
pub mod policy;
pub mod port;
pub mod settings;
pub mod sim;
pub mod store;
pub mod telemetry;
