//! A set that seldom has more than one element.

use std::{collections::BTreeSet, collections::btree_set, iter, option};

/// A set that seldom has more than one element. A [`BTreeSet`] takes the memory of eleven elements
/// with its first, which counts in tables that have an entry for each commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Few<T> {
    /// One element, or none.
    One(Option<T>),
    /// Two elements or more.
    More(BTreeSet<T>),
}

impl<T> Default for Few<T> {
    fn default() -> Self {
        Self::One(None)
    }
}

/// Iterator over the elements of a [`Few`], in their order.
pub type Iter<'a, T> = iter::Chain<option::Iter<'a, T>, iter::Flatten<option::IntoIter<btree_set::Iter<'a, T>>>>;

impl<T: Ord> Few<T> {
    /// Adds an element; returns true if it was not there.
    pub fn insert(&mut self, element: T) -> bool {
        match self {
            Self::One(slot @ None) => *slot = Some(element),
            Self::One(Some(only)) if *only == element => return false,
            Self::One(slot) => *self = Self::More(slot.take().into_iter().chain([element]).collect()),
            Self::More(elements) => return elements.insert(element),
        }
        true
    }

    /// Returns the elements in their order.
    pub fn iter(&self) -> Iter<'_, T> {
        let (one, more) = match self {
            Self::One(one) => (one, None),
            Self::More(elements) => (&None, Some(elements.iter())),
        };
        one.iter().chain(more.into_iter().flatten())
    }

    /// Returns the least element.
    pub fn first(&self) -> Option<&T> {
        self.iter().next()
    }
}

impl<'a, T: Ord> IntoIterator for &'a Few<T> {
    type Item = &'a T;
    type IntoIter = Iter<'a, T>;

    fn into_iter(self) -> Iter<'a, T> {
        self.iter()
    }
}

impl<T: Ord> Extend<T> for Few<T> {
    fn extend<I: IntoIterator<Item = T>>(&mut self, elements: I) {
        elements.into_iter().for_each(|element| {
            self.insert(element);
        });
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_the_set_of_what_was_added(elements in proptest::collection::vec(0_u8..6, 0..6)) {
            let (mut few, mut set) = (Few::default(), BTreeSet::new());
            for element in elements {
                prop_assert_eq!(few.insert(element), set.insert(element));
                prop_assert_eq!(few.first(), set.first());
                prop_assert!(few.iter().eq(&set));
            }
        }
    }
}
