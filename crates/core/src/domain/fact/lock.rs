//! The owner of a lock.

use crate::domain::{
    fact::command::Guard,
    id::{Account, ItemId},
};

/// The owner of a lock, from the view of somebody who requests a deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockOwner {
    /// The requester, who took it on the item of the request.
    Same,
    /// The requester, who took it on this other item.
    OtherItem(ItemId),
    /// Somebody else; or it binds everyone.
    Other,
}

impl Guard<'_> {
    /// Returns the owner of this lock from the view of `who`, who requests something on `item`. A
    /// lock whose owner is unknown is somebody else's.
    pub fn owner(&self, who: &Account, item: Option<ItemId>) -> LockOwner {
        if self.binds_all || self.by.same_as(who) != Some(true) {
            LockOwner::Other
        } else if item == Some(self.item) {
            LockOwner::Same
        } else {
            LockOwner::OtherItem(self.item)
        }
    }
}
