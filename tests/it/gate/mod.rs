//! Gates over real HTTP.

mod flow;
mod life;
mod people;
