//! `phasebot setup`: the built program against the simulated forge, with a
//! client in the browser's place, and with a real browser.

mod browser;
mod refusals;
mod run;
mod stage;
