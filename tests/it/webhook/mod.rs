//! The webhook server from outside: every answer of the contract, on real sockets.

mod answers;
pub mod house;
mod names;
mod waits;
