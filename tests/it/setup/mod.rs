//! `phasebot setup`: the built program with the simulated forge, with a client in place of a
//! browser, and with a real browser.

mod browser;
mod refusals;
mod run;
mod stage;
