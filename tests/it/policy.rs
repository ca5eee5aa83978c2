//! The policy file, from outside: what is accepted, what is said of the rest.

mod accept;
mod hostile;
mod merge;
mod reference;
mod refuse;
