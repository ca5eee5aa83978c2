//! The web pages over HTTP, of a bot that decided real webhooks.

mod access;
mod api;
mod browser;
mod client;
mod evidence;
mod pages;

pub use client::{Answer, Client};
