//! Schema changes of databases.

use std::collections::BTreeMap;

use crate::domain::{fact::RepoFacts, schema::SchemaChange};

/// Most schema changes of one connection that are kept; of those that are over, the oldest go.
const MOST: usize = 500;

/// The newest known of each schema change, by connection and number.
pub type SchemaChanges = BTreeMap<(String, u64), SchemaChange>;

impl RepoFacts {
    /// Adds what a database told of a schema change. Returns the schema changes whose documents
    /// changed: it, and one that had to make room for it.
    pub fn add_schema_change(&mut self, seen: &SchemaChange) -> Vec<(String, u64)> {
        let key = (seen.connection.clone(), seen.number);
        if self.schema_changes.get(&key).is_some_and(|known| known >= seen || known.says(seen)) {
            return Vec::new();
        }
        self.schema_changes.insert(key.clone(), seen.clone());
        let mut changed = vec![key];
        let of_connection = || self.schema_changes_of(&seen.connection);
        if of_connection().count() > MOST {
            let oldest = of_connection().min_by_key(|change| (change.is_open, change.number));
            let gone = oldest.map(|oldest| (oldest.connection.clone(), oldest.number));
            changed.extend(gone.inspect(|gone| drop(self.schema_changes.remove(gone))));
        }
        changed
    }

    /// Returns the known schema changes of a connection, in the order of their numbers.
    pub fn schema_changes_of<'a, 'n>(
        &'a self,
        connection: &'n str,
    ) -> impl Iterator<Item = &'a SchemaChange> + use<'a, 'n> {
        let from = self.schema_changes.range((connection.to_owned(), 0)..);
        from.take_while(move |((of, _), _)| of == connection).map(|(_, change)| change)
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::domain::{
        id::{ForgeName, RepoKey},
        schema::{SchemaContent, SchemaState},
    };

    fn change(number: u64, second: i64, state: SchemaState) -> SchemaChange {
        SchemaChange {
            at: Timestamp::from_second(second).unwrap(),
            seen_at: Timestamp::from_second(second).unwrap(),
            state,
            word: String::new(),
            connection: "db".to_owned(),
            number,
            from: "dev".to_owned(),
            into: "main".to_owned(),
            is_open: state == SchemaState::Ready,
            notes: String::new(),
            url: None,
            deployable: true,
            problems: Vec::new(),
            approved: false,
            paused: None,
            expires_soon: false,
            eta_seconds: None,
            revertible_until: None,
            content: SchemaContent::default(),
        }
    }

    fn facts() -> RepoFacts {
        RepoFacts::new(RepoKey { forge: ForgeName::github(), id: 1 })
    }

    #[test]
    fn older_states_of_a_schema_change_change_nothing() {
        let all = [
            change(1, 5, SchemaState::Ready),
            change(1, 6, SchemaState::Running),
            // Told for the same time: the later state counts.
            change(1, 6, SchemaState::Staged),
        ];
        for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0], [2, 0, 1]] {
            let mut facts = facts();
            for nth in order {
                facts.add_schema_change(&all[nth]);
                assert!(facts.add_schema_change(&all[nth]).is_empty(), "again");
            }
            assert_eq!(facts.schema_changes_of("db").collect::<Vec<_>>(), [&all[2]], "{order:?}");
        }
    }

    #[test]
    fn schema_changes_are_bounded_and_open_ones_stay() {
        let mut facts = facts();
        facts.add_schema_change(&change(1, 1, SchemaState::Ready));
        for number in 2..=600 {
            let changed = facts.add_schema_change(&change(number, 1, SchemaState::Applied));
            assert_eq!(changed.len(), if number > 500 { 2 } else { 1 });
        }
        let kept: Vec<u64> = facts.schema_changes_of("db").map(|it| it.number).collect();
        assert_eq!((kept.len(), kept[0], kept[1], kept[499]), (500, 1, 102, 600));
    }
}
