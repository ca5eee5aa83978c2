//! Incidents: from many alerts to the issues that people read.

mod order;
