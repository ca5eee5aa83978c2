//! Gates: calendars, and properties of their evaluation.

mod calendar;
mod own_status;
mod properties;
