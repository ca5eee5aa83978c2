//! Delivery metrics.

use jiff::civil::Weekday;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::policy::file::{
    text::{Globs, Name},
    time::{Length, TimeOfDay, Zone},
};

/// Rules for delivery metrics, as `phasebot report` shows them. `docs/metrics.md` defines them.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename = "Insight")]
pub struct InsightFile {
    /// Time zone of the days and weeks. Default: that of `commands.tz`.
    pub tz: Option<Zone>,
    /// Time after a deployment in which a revert of something that it brought makes it a failed
    /// one. Default: `3d`.
    pub rework_window: Option<Length>,
    /// Labels of pull requests that are rework; globs. Default: `hotfix`.
    pub rework: Option<Globs>,
    /// Phase whose entry starts an item's cycle time. Default: `code`, else the second phase.
    pub start: Option<Name>,
    /// Phase whose entry ends an item's cycle time. Default: `operate`, else the last but one.
    pub finish: Option<Name>,
    /// Phases in which somebody works on an item, for the flow efficiency. Default: the phase that
    /// starts the cycle time.
    #[schemars(length(max = 50))]
    pub active: Option<Vec<Name>>,
    /// Opens an issue once a week that looks back: what moved, what is stuck, what waited, what
    /// failed. Default: no issue.
    pub retro: Option<RetroFile>,
}

/// When the weekly retrospective is due.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename = "Retro")]
pub struct RetroFile {
    /// Day of the week.
    pub day: Day,
    /// Time of day, such as `09:00`. Default: `09:00`.
    pub at: Option<TimeOfDay>,
    /// Time zone of both. Default: that of `insight.tz`.
    pub tz: Option<Zone>,
}

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Day {
    /// Monday.
    Mon,
    /// Tuesday.
    Tue,
    /// Wednesday.
    Wed,
    /// Thursday.
    Thu,
    /// Friday.
    Fri,
    /// Saturday.
    Sat,
    /// Sunday.
    Sun,
}

impl Day {
    /// Returns the day of the week.
    pub fn weekday(self) -> Weekday {
        match self {
            Self::Mon => Weekday::Monday,
            Self::Tue => Weekday::Tuesday,
            Self::Wed => Weekday::Wednesday,
            Self::Thu => Weekday::Thursday,
            Self::Fri => Weekday::Friday,
            Self::Sat => Weekday::Saturday,
            Self::Sun => Weekday::Sunday,
        }
    }
}
