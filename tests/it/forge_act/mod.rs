//! Acting on GitHub: which requests are made, how often, and what answers mean.

mod calls;
mod comments;
mod labels;
mod questions;
mod server;
mod tokens;
