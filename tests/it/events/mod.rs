//! Event connections: from a message of a system that deploys without the forge, over HTTP, to the
//! labels.

mod cdevents;
mod door;
mod mapped;
mod sent;
