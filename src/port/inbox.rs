//! Deliveries in the store.

use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::id::{ConnectionId, ForgeName};

/// Number of a delivery, in order of arrival.
pub type Seq = u64;

/// A delivery to store.
#[derive(Debug, Clone)]
pub struct NewDelivery {
    /// The forge instance or alert connection that sent it.
    pub forge: ForgeName,
    /// The hook that sent it; empty if the forge does not name it.
    pub hook: String,
    /// The forge's delivery id.
    pub delivery: String,
    /// The forge's event name.
    pub event: String,
    /// The payload's action, for lists.
    pub action: Option<String>,
    /// The repository that it concerns: deliveries of one repository are decided in order.
    pub repo: Option<u64>,
    /// For an alert: the current or a former name of its repository. The store finds `repo` by it.
    /// Until it can, the delivery waits; it becomes pending once a repository with this name is
    /// stored.
    pub target: Option<String>,
    /// The installation that it names.
    pub installation: Option<ConnectionId>,
    /// Time of receipt.
    pub received_at: Timestamp,
    /// The raw body.
    pub body: Bytes,
    /// Reason why it cannot be routed, if so: it is stored as quarantined.
    pub quarantined: Option<String>,
}

/// Result of [`Store::accept`](crate::port::store::Store::accept).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accepted {
    /// Stored under this number.
    New(Seq),
    /// Already stored, under this number.
    Duplicate(Seq),
}

/// A pending delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending {
    /// Its number.
    pub seq: Seq,
    /// Partition within which it is ordered.
    pub partition: Partition,
}

/// Unit of ordering: one repository, or a forge's other events.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Partition {
    /// The forge.
    pub forge: ForgeName,
    /// The repository; `None` for installation-wide events.
    pub repo: Option<u64>,
}

/// State of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeliveryState {
    /// Waits to be decided.
    Pending,
    /// Decided.
    Done,
    /// Stored, without meaning here.
    Ignored,
    /// Cannot be decoded; may be replayed after an upgrade.
    Quarantined,
    /// Deciding on it failed repeatedly.
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

    /// Returns its name.
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(s, _)| *s == self).map_or("", |(_, n)| n)
    }

    /// Returns the state with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, n)| *n == name).map(|(s, _)| *s)
    }
}

/// A delivery in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryRow {
    /// Its number.
    pub seq: Seq,
    /// The forge instance or alert connection that sent it.
    pub forge: ForgeName,
    /// The hook that sent it.
    pub hook: String,
    /// The forge's delivery id.
    pub delivery: String,
    /// The forge's event name.
    pub event: String,
    /// The payload's action.
    pub action: Option<String>,
    /// The repository that it concerns.
    pub repo: Option<u64>,
    /// Name of the repository that an alert is for.
    #[serde(default)]
    pub target: Option<String>,
    /// The installation that it names.
    pub installation: Option<ConnectionId>,
    /// Time of receipt.
    pub received_at: Timestamp,
    /// Time of the decision.
    pub decided_at: Option<Timestamp>,
    /// Its state.
    pub state: DeliveryState,
    /// Its effects, or why it was ignored, quarantined or given up.
    pub note: String,
    /// Number of attempts to decide on it.
    pub attempts: u32,
}

/// A delivery with its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredDelivery {
    /// Its row in a list.
    pub row: DeliveryRow,
    /// The raw body.
    pub body: Bytes,
}

/// Filter for a list of deliveries.
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
    /// Maximum number of deliveries; 0 means 50.
    pub limit: usize,
}
