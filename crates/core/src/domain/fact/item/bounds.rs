//! How much of one kind an item keeps, where its author or anybody can add to
//! it without end. What goes is older than all that stays of its kind, and
//! says nothing that what stays does not say again.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::domain::{
    event::Verdict,
    fact::item::{ItemFacts, PullFacts},
};

/// Closings, and reopenings: authors may do both.
const MOST_TURNS: usize = 200;
/// Reviews of words only: anybody may write them, and no rule asks for them.
const MOST_WORDS: usize = 50;
/// Heads of a pull request: whoever opened it may push without end.
const MOST_HEADS: usize = 500;
/// Verdicts of one reviewer: the newest counts.
const MOST_VERDICTS: usize = 10;

impl ItemFacts {
    /// Lets go of what is too much.
    pub fn bound(&mut self) {
        while self.closings.len() > MOST_TURNS {
            self.closings.pop_first();
        }
        while self.reopenings.len() > MOST_TURNS {
            self.reopenings.pop_first();
        }
        if let Some(pull) = &mut self.pull {
            pull.bound_reviews();
            pull.bound_heads();
        }
    }
}

impl PullFacts {
    /// The newest heads stay, and the one that it has now.
    fn bound_heads(&mut self) {
        if self.heads.len() <= MOST_HEADS {
            return;
        }
        let now = self.shape.as_ref().map(|shape| &shape.value.head_sha);
        let mut by_age: Vec<_> = self.heads.iter().filter(|(sha, _)| Some(*sha) != now).collect();
        by_age.sort_unstable_by_key(|(sha, since)| (**since, *sha));
        let going = by_age.into_iter().take(self.heads.len() - MOST_HEADS).map(|(sha, _)| sha.clone());
        for sha in going.collect::<Vec<_>>() {
            self.heads.remove(&sha);
        }
    }

    fn bound_reviews(&mut self) {
        if self.reviews.len() <= MOST_VERDICTS {
            return;
        }
        let mut words: Vec<(Timestamp, u64)> = Vec::new();
        let mut verdicts: BTreeMap<String, Vec<(Timestamp, u64)>> = BTreeMap::new();
        for (id, review) in &self.reviews {
            let order = (review.value.submitted_at, *id);
            if review.value.verdict == Verdict::Commented {
                words.push(order);
            } else {
                verdicts.entry(format!("{:?}", review.value.reviewer)).or_default().push(order);
            }
        }
        let mut going = Vec::new();
        let bounds = verdicts.into_values().map(|of_one| (of_one, MOST_VERDICTS)).chain([(words, MOST_WORDS)]);
        for (mut all, most) in bounds {
            all.sort_unstable();
            all.truncate(all.len().saturating_sub(most));
            going.extend(all.into_iter().map(|(_, id)| id));
        }
        for id in going {
            self.reviews.remove(&id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        event::{Association, CloseReason},
        fact::{Newest, item::ReviewFact},
        id::{Account, AccountId, Sha},
    };

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + seconds).unwrap()
    }

    #[test]
    fn turns_and_reviews_of_an_item_are_bounded() {
        let mut item = ItemFacts::new(1, true);
        let mut pull = PullFacts::default();
        for n in 0..1000 {
            item.closings.insert(at(2 * n), CloseReason::NotPlanned);
            item.reopenings.insert(at(2 * n + 1));
            let verdict = if n % 2 == 0 { Verdict::Commented } else { Verdict::Approved };
            let review = ReviewFact {
                verdict,
                submitted_at: at(n),
                reviewer: Account { id: Some(AccountId((n % 4).cast_unsigned())), login: format!("mallory-{}", n % 4) },
                association: Association::Other,
                commit: None,
            };
            pull.reviews.insert(n.cast_unsigned(), Newest { at: at(n), value: review });
            pull.heads.insert(Sha(format!("{n:040x}")), at(n));
        }
        item.pull = Some(pull);
        item.bound();
        assert_eq!((item.closings.len(), item.reopenings.len()), (MOST_TURNS, MOST_TURNS));
        assert_eq!(item.closings.last_key_value().map(|(at, _)| *at), Some(at(1998)), "the newest stay");
        let reviews = &item.pull.as_ref().unwrap().reviews;
        assert_eq!(reviews.len(), MOST_WORDS + 2 * MOST_VERDICTS);
        assert!(reviews.contains_key(&999) && !reviews.contains_key(&1));
        let heads = &item.pull.as_ref().unwrap().heads;
        assert_eq!((heads.len(), heads.values().min()), (MOST_HEADS, Some(&at(500))), "the newest stay");
        let before = item.clone();
        item.bound();
        assert_eq!(item, before);
    }
}
