//! Event and verdict connections: from a message of a system beside the forge, over HTTP, to the
//! labels and gates.

mod cdevents;
mod door;
mod mapped;
mod mirrored;
mod sent;
mod verdicts;
