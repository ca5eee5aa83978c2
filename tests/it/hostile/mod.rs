//! Attacks on the whole program, on real sockets.
//!
//! `SECURITY.md` lists the threats; each row names the tests that cover it.

mod bombs;
mod crowd;
mod disk;
mod door;
mod elsewhere;
mod one;
mod tenant;
