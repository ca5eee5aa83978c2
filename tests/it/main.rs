//! One test program for everything that is tested from outside.

mod forge_act;
mod forge_understand;
mod layers;
mod openapi;
mod policy;
mod sim;
mod store;
mod webhook;
