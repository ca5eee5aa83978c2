//! Domain types of phasebot: facts, events, decisions and effects.
//!
//! Nothing here does I/O, reads a clock, or knows the name of a forge, a monitoring system or a
//! database.

pub mod alert;
pub mod alert_policy;
pub mod branch;
pub mod decision;
pub mod derived;
pub mod effect;
pub mod event;
pub mod fact;
pub mod few;
pub mod glob;
pub mod id;
pub mod insight;
pub mod instance;
pub mod needs;
pub mod notice;
pub mod pattern;
pub mod per_pull;
pub mod permission;
pub mod policy;
pub mod rule;
pub mod schema;
pub mod service;
pub mod statement;
pub mod timer;
pub mod turn;
pub mod version;
pub mod when;
