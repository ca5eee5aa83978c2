//! One test program for everything that is tested from outside; decisions are tested in
//! `tests/core`.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a test says what it did")]

mod alert;
mod app;
mod catch_up;
mod cli;
mod command;
mod crash;
mod demo;
mod deploy;
mod deploys;
mod docs;
mod doctor;
mod events;
mod flow;
mod forge_act;
mod forge_understand;
mod gate;
mod hostile;
mod incident;
mod insight;
mod layers;
mod licences;
mod notices;
mod openapi;
mod operate;
mod planetscale;
mod policy;
mod policy_life;
mod release;
mod retro;
mod settings;
mod setup;
mod sim;
mod store;
mod supply;
mod support;
mod upgrade;
mod web;
mod webhook;
