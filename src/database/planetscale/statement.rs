//! What a statement that changes a schema does to data.

/// What a statement takes away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Loss {
    /// Nothing: programs that do not know of it still work.
    None,
    /// Some of it drops data, and some adds or changes something.
    Some,
    /// All of it drops something.
    All,
}

/// Returns what a statement takes away. `can_drop_data`: as PlanetScale says. A statement of which
/// it is not certain that it only drops counts as both.
pub(super) fn loss(statement: &str, can_drop_data: bool) -> Loss {
    if !can_drop_data {
        return Loss::None;
    }
    let first = words(statement).next().unwrap_or_default();
    if first == "DROP" {
        return Loss::All;
    }
    let only_drops = first == "ALTER" && {
        let mut clauses = clauses(statement).into_iter();
        // `ALTER TABLE name` stands before the first clause.
        let first = clauses.next().unwrap_or_default();
        let begins = |clause: &str| words(clause).next().is_some_and(|word| word == "DROP");
        words(&first).nth(3).is_some_and(|word| word == "DROP") && clauses.all(|clause| begins(&clause))
    };
    if only_drops { Loss::All } else { Loss::Some }
}

fn words(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split_whitespace().map(str::to_ascii_uppercase)
}

/// Splits a statement at the commas that stand neither in quotes nor in brackets. What is quoted
/// becomes one word.
fn clauses(statement: &str) -> Vec<String> {
    let (mut found, mut clause) = (Vec::new(), String::new());
    let (mut quote, mut depth) = (None, 0_u32);
    for c in statement.chars() {
        match (quote, c) {
            (Some(mark), _) => {
                if c == mark {
                    quote = None;
                }
            }
            (None, '`' | '\'' | '"') => {
                quote = Some(c);
                clause.push('q');
            }
            (None, '(') => depth += 1,
            (None, ')') => depth = depth.saturating_sub(1),
            (None, ',') if depth == 0 => found.push(std::mem::take(&mut clause)),
            (None, _) => clause.push(c),
        }
    }
    found.push(clause);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_certainly_drops_and_nothing_else_is_a_drop() {
        for (statement, meant) in [
            ("DROP TABLE `orders`", Loss::All),
            ("ALTER TABLE `Persons` DROP COLUMN `Address`", Loss::All),
            ("alter table `a b` drop column `x, ADD y`, drop key `k`", Loss::All),
            ("ALTER TABLE `a` DROP COLUMN `x`, ADD COLUMN `y` int", Loss::Some),
            ("ALTER TABLE `a` MODIFY COLUMN `x` enum('a', 'b')", Loss::Some),
            ("ALTER TABLE `a` CHANGE `x` `y` int", Loss::Some),
            ("TRUNCATE `a`", Loss::Some),
            ("", Loss::Some),
        ] {
            assert_eq!(loss(statement, true), meant, "{statement}");
            assert_eq!(loss(statement, false), Loss::None, "{statement}");
        }
    }
}
