//! Whose a lock is.

use crate::domain::{
    fact::command::Guard,
    id::{Account, ItemNumber},
};

/// Whose a lock is, seen by somebody who asks for a deploy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockOwner {
    /// Theirs, taken on the item on which they ask.
    Same,
    /// Theirs, taken on this other item.
    OtherItem(ItemNumber),
    /// Somebody else's, or one that binds everyone.
    Other,
}

impl Guard<'_> {
    /// Whose this lock is for `who`, who asks for something on `item`. One of
    /// which nobody can tell whose it is is somebody else's.
    pub fn owner(&self, who: &Account, item: Option<ItemNumber>) -> LockOwner {
        if self.binds_all || self.by.same_as(who) != Some(true) {
            LockOwner::Other
        } else if item == Some(self.item) {
            LockOwner::Same
        } else {
            LockOwner::OtherItem(self.item)
        }
    }
}
