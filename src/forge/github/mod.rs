//! GitHub and GitHub Enterprise Server.

pub mod decode;
pub mod payload;
pub mod route;
pub mod verify;
