//! Deliveries as a store keeps them.

use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::store::Seq;
use crate::domain::id::{ForgeName, InstallationId};

/// A delivery as it comes in.
#[derive(Debug, Clone)]
pub struct NewDelivery {
    /// From which forge instance or alert connection.
    pub forge: ForgeName,
    /// The hook that sent it; empty where the forge does not say.
    pub hook: String,
    /// The forge's id for it.
    pub delivery: String,
    /// The forge's event name.
    pub event: String,
    /// The payload's action, for lists.
    pub action: Option<String>,
    /// The repository it concerns: deliveries of one are decided in order.
    pub repo: Option<u64>,
    /// For an alert: the repository that it is for, by a name that this has or
    /// had. The store finds `repo` by it. While it can't, the delivery waits;
    /// it is pending once a repository of that name is kept.
    pub target: Option<String>,
    /// The installation it names.
    pub installation: Option<InstallationId>,
    /// When it was received.
    pub received_at: Timestamp,
    /// The raw body.
    pub body: Bytes,
    /// Why it can't be routed, if it can't: it is kept as quarantined.
    pub quarantined: Option<String>,
}

/// What [`Store::accept`](super::store::Store::accept) did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accepted {
    /// Kept under this number.
    New(Seq),
    /// Had been taken in before, under this number.
    Duplicate(Seq),
}

/// A delivery that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending {
    /// Its number.
    pub seq: Seq,
    /// What it must be in order with.
    pub partition: Partition,
}

/// What is decided in order: one repository, or a forge's other events.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Partition {
    /// The forge.
    pub forge: ForgeName,
    /// The repository; `None` for installation-wide events.
    pub repo: Option<u64>,
}

/// What became of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeliveryState {
    /// Waits to be decided.
    Pending,
    /// Decided.
    Done,
    /// Kept, says nothing to us.
    Ignored,
    /// Can't be understood; may be replayed after an upgrade.
    Quarantined,
    /// Deciding on it failed again and again.
    Dead,
    /// Ended by an operator.
    Dropped,
}

impl DeliveryState {
    /// Every state with its name in the database and in lists.
    pub const ALL: [(Self, &'static str); 6] = [
        (Self::Pending, "pending"),
        (Self::Done, "done"),
        (Self::Ignored, "ignored"),
        (Self::Quarantined, "quarantined"),
        (Self::Dead, "dead"),
        (Self::Dropped, "dropped"),
    ];

    /// Its name.
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(s, _)| *s == self).map_or("", |(_, n)| n)
    }

    /// The state with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, n)| *n == name).map(|(s, _)| *s)
    }
}

/// A delivery in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryRow {
    /// Its number.
    pub seq: Seq,
    /// From where.
    pub forge: ForgeName,
    /// The hook that sent it.
    pub hook: String,
    /// The forge's id for it.
    pub delivery: String,
    /// The forge's event name.
    pub event: String,
    /// The payload's action.
    pub action: Option<String>,
    /// The repository it concerns.
    pub repo: Option<u64>,
    /// The repository that an alert is for, by name.
    #[serde(default)]
    pub target: Option<String>,
    /// The installation it names.
    pub installation: Option<InstallationId>,
    /// When it was received.
    pub received_at: Timestamp,
    /// When it was decided.
    pub decided_at: Option<Timestamp>,
    /// What became of it.
    pub state: DeliveryState,
    /// What it moved, or why it was ignored, quarantined or given up.
    pub note: String,
    /// How often deciding on it was tried.
    pub attempts: u32,
}

/// A delivery, whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredDelivery {
    /// What a list shows.
    pub row: DeliveryRow,
    /// The raw body.
    pub body: Bytes,
}

/// Which deliveries to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeliveryFilter {
    /// Only this state.
    pub state: Option<DeliveryState>,
    /// Only this event.
    pub event: Option<String>,
    /// Only this repository.
    pub repo: Option<u64>,
    /// Only with this delivery id.
    pub delivery: Option<String>,
    /// At most so many; 0 means 50.
    pub limit: usize,
}
