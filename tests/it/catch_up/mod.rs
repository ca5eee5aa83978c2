//! Catching up: missed deliveries are fetched from the forge's own list of deliveries.

mod backfill;
mod blocked;
mod command;
mod lost;
mod missed;
mod world;
