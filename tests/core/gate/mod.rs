//! Gates: calendars, and properties of their evaluation.

mod calendar;
mod properties;
