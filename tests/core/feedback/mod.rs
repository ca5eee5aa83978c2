//! Text of incident issues, and its safety against hostile alerts.

mod hostile;
mod live;
mod look;
mod template;
