//! Limits on what an item stores of one kind, where its author or anyone can add to it without end.
//! A removed entry is older than everything of its kind that stays, and shows nothing that the rest
//! does not show.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::domain::{
    event::Verdict,
    fact::item::{ItemFacts, PullFacts},
};

/// Maximum number of closings, and of reopenings: authors may do both.
const MOST_TURNS: usize = 200;
/// Maximum number of reviews without a verdict: anyone may write them, and no rule needs them.
const MOST_WORDS: usize = 50;
/// Maximum number of heads of a pull request: its author may push without end.
const MOST_HEADS: usize = 500;
/// Maximum number of verdicts of one reviewer: the newest counts.
const MOST_VERDICTS: usize = 10;

impl ItemFacts {
    /// Removes what exceeds the limits.
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
    /// Keeps the newest heads, and the current one.
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
        id::{Account, AccountId},
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
            pull.heads.insert(format!("{n:040x}").parse().unwrap(), at(n));
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
