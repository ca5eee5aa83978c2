//! What people decided to change: the task list of a retrospective's issue.

/// Longest action, in characters.
const LONGEST: usize = 200;
/// Most actions that are carried over.
const MOST: usize = 20;

/// What people decided to change, as their last retrospective's issue lists it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Actions {
    /// Not ticked: carried over.
    pub open: Vec<Action>,
    /// Ticked: done.
    pub done: Vec<Action>,
    /// Number of those that are left out.
    pub more: usize,
}

/// Something that people decided to change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Action {
    /// Their words, as text.
    pub text: String,
    /// The number of weeks for which it is on the list, this one included.
    pub weeks: u32,
}

impl Actions {
    /// Reads the task list below the heading `Actions` of an issue's text.
    #[must_use]
    pub fn read(text: &str) -> Self {
        let mut actions = Self::default();
        let below = text.lines().skip_while(|line| !is_heading(line, "actions")).skip(1);
        for line in below.take_while(|line| !line.trim_start().starts_with("## ")) {
            let Some((ticked, words)) = task(line) else { continue };
            let (words, weeks) = counted(words);
            let words: String = plain(words).chars().take(LONGEST).collect();
            if words.trim().is_empty() {
                continue;
            }
            let list = if ticked { &mut actions.done } else { &mut actions.open };
            if list.len() >= MOST {
                actions.more += 1;
                continue;
            }
            list.push(Action { text: words.trim().to_owned(), weeks: weeks.saturating_add(u32::from(!ticked)) });
        }
        actions
    }
}

fn is_heading(line: &str, name: &str) -> bool {
    line.trim_start().strip_prefix("## ").is_some_and(|rest| rest.trim().eq_ignore_ascii_case(name))
}

/// Returns whether a line of a task list is ticked, and its words.
fn task(line: &str) -> Option<(bool, &str)> {
    let rest = line.trim_start();
    let rest = ["- ", "* ", "+ "].iter().find_map(|bullet| rest.strip_prefix(bullet))?.trim_start();
    let (mark, words) = (rest.get(..3)?, rest.get(3..)?);
    let words = words.strip_prefix(' ')?;
    match mark {
        "[ ]" => Some((false, words)),
        "[x]" | "[X]" => Some((true, words)),
        _ => None,
    }
}

/// Splits off the week that we added: `Test the backup (week 3)`.
fn counted(words: &str) -> (&str, u32) {
    let split = || {
        let (words, rest) = words.trim_end().rsplit_once(" (week ")?;
        Some((words, rest.strip_suffix(')')?.parse().ok()?))
    };
    split().unwrap_or((words, 1))
}

/// Returns Markdown without our escapes, which would grow each week.
fn plain(words: &str) -> String {
    let mut text = String::new();
    let mut chars = words.chars().peekable();
    while let Some(c) = chars.next() {
        let escapes = c == '\\' && chars.peek().is_some_and(char::is_ascii_punctuation);
        if !escapes && c != '\u{200b}' {
            text.push(c);
        } else if let Some(next) = chars.next_if(|_| escapes) {
            text.push(next);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_ticked_is_carried_over_and_counted() {
        let text = "## Moved\n- [ ] not an action\n## Actions\r\n- [ ] Test the backup (week 2)\n\
                    * [x] Ask ops\n- [ ] New\\_one \\@ops\n- not a task\n- [ ]\n## Notes\n- [ ] neither\n";
        let actions = Actions::read(text);
        let shown = |list: &[Action]| list.iter().map(|one| (one.text.clone(), one.weeks)).collect::<Vec<_>>();
        assert_eq!(shown(&actions.open), [("Test the backup".to_owned(), 3), ("New_one @ops".to_owned(), 2)]);
        assert_eq!(shown(&actions.done), [("Ask ops".to_owned(), 1)]);
    }

    #[test]
    fn a_long_list_is_bounded() {
        let text = format!("## Actions\n{}", "- [ ] again and again\n".repeat(100));
        let actions = Actions::read(&text);
        assert_eq!((actions.open.len(), actions.more), (MOST, 80));
        let long = Actions::read(&format!("## Actions\n- [ ] {}\n", "x".repeat(10_000)));
        assert_eq!(long.open[0].text.chars().count(), LONGEST);
    }
}
