//! Targets of notices, one file each.
//!
//! Every text of a notice is untrusted: titles, names and reasons of strangers. Each file says how its
//! target is kept from reading anything into it.

mod discord;
#[cfg(test)]
mod hostile;
mod http;
mod matrix;
mod mattermost;
mod slack;
mod swap;
mod teams;
mod text;
mod webhook;

pub use crate::notify::{
    discord::Discord,
    http::Client,
    matrix::Matrix,
    mattermost::Mattermost,
    slack::{SlackApp, SlackWebhook},
    swap::Swap,
    teams::Teams,
    webhook::Webhook,
};
