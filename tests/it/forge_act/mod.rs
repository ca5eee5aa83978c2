//! Acting on GitHub: which requests are made, how often, and what answers mean.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the message")]

mod calls;
mod comments;
mod evidence;
mod issues;
mod labels;
mod lost;
mod questions;
mod redirects;
mod server;
mod tokens;
