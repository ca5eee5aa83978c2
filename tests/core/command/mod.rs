//! Slash commands: their parsing, and the bounds of what they leave behind.

mod bounds;
mod parser;
mod table;
