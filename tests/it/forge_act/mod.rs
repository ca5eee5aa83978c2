//! Actions on GitHub: the requests, their number, and the interpretation of answers.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the message")]

mod calls;
mod comments;
mod evidence;
mod files;
mod issues;
mod labels;
mod lost;
mod questions;
mod redirects;
mod server;
mod tokens;
