//! The web pages over HTTP, of a bot that decided real webhooks.

mod client;
mod pages;

pub use client::Client;
