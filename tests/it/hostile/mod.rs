//! What an attacker may try, on real sockets against the whole program.
//!
//! `SECURITY.md` has the threats; each row names the tests that cover it.

mod bombs;
mod crowd;
mod disk;
mod door;
mod elsewhere;
mod one;
mod tenant;
