//! The `phasebot` program.

fn main() {}
