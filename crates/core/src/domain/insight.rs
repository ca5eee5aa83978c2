//! Policy for delivery metrics, and the stored form of the rows that they are computed from.

use jiff::{
    SignedDuration, Timestamp,
    civil::{Time, Weekday},
    tz::TimeZone,
};

use crate::domain::pattern::Pattern;

/// Rules for delivery metrics.
#[derive(Debug, Clone, PartialEq)]
pub struct InsightRules {
    /// Time zone of the days and weeks.
    pub zone: TimeZone,
    /// Time after a deployment in which a revert of something that it brought makes it a failed
    /// one.
    pub rework_window: SignedDuration,
    /// Labels of pull requests that are rework.
    pub rework: Vec<Pattern>,
    /// Phase whose entry starts an item's cycle time, by name.
    pub start: String,
    /// Phase whose entry ends an item's cycle time, by name.
    pub finish: String,
    /// Phases in which somebody works on an item, by name.
    pub active: Vec<String>,
    /// When the weekly retrospective is due; `None`: there is none.
    pub retro: Option<RetroRules>,
}

/// When the weekly retrospective is due.
#[derive(Debug, Clone, PartialEq)]
pub struct RetroRules {
    /// Day of the week.
    pub day: Weekday,
    /// Time of day.
    pub at: Time,
    /// Time zone of both.
    pub zone: TimeZone,
}

/// The kind of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RowKind {
    /// The terms under which the other rows were derived.
    Terms,
    /// One cycle of an issue or pull request.
    Unit,
    /// A change that went live in an environment.
    Change,
    /// A deployment.
    Deployment,
    /// The time that a condition of a gate blocked a commit.
    GateWait,
    /// One cycle of an incident.
    Incident,
    /// An override of a gate's conditions.
    Override,
    /// What an environment runs now.
    Environment,
    /// A gate on a commit that is kept up to date.
    LiveGate,
}

impl RowKind {
    /// The kinds that figures are computed from.
    pub const OF_FIGURES: [Self; 7] =
        [Self::Terms, Self::Unit, Self::Change, Self::Deployment, Self::GateWait, Self::Incident, Self::Override];

    /// Returns its name in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Terms => "terms",
            Self::Unit => "unit",
            Self::Change => "change",
            Self::Deployment => "deployment",
            Self::GateWait => "gate",
            Self::Incident => "incident",
            Self::Override => "override",
            Self::Environment => "environment",
            Self::LiveGate => "live_gate",
        }
    }
}

/// A row as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InsightRow {
    /// The object that it belongs to, such as `#12`, or a deployment's id.
    pub owner: String,
    /// Its name among the rows of its owner, such as an environment.
    pub part: String,
    /// Time after which it concerns no window: it has to be read for windows that begin at or
    /// before this time. [`OPEN`] while it has not ended.
    pub at: Timestamp,
    /// The row, as JSON.
    pub body: String,
}

/// Time of a row that has not ended: later than every window, and in whole milliseconds, as stores
/// keep times.
pub const OPEN: Timestamp = Timestamp::constant(253_402_207_200, 0);

/// A part after every other one.
pub const KEEPS_ALL: &str = "\u{10ffff}";

/// The rows of one kind that one object has now. They replace those that it had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowGroup {
    /// Their kind.
    pub kind: RowKind,
    /// The object.
    pub owner: String,
    /// The first part that they replace: rows with an earlier part stay. With [`KEEPS_ALL`], only rows
    /// are added whose part is not there.
    pub from: String,
    /// The rows.
    pub rows: Vec<InsightRow>,
}
