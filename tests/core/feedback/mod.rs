//! What the issues of incidents say, and what no alert can make them do.

mod hostile;
mod live;
mod look;
mod template;
