//! The list of what a deployment or release carries, as Markdown and as one line. Every name in it
//! is quoted, so that it can neither mention, nor link, nor close anything.

use std::{collections::BTreeSet, fmt::Write as _};

use crate::{
    context::EvalContext,
    domain::{
        event::RefName,
        id::{ItemId, Sha},
        policy::Pattern,
    },
    gate::carries::{Carried, Change, Contents},
    text::message::quoted,
};

/// Limit on the changes that are listed one by one.
pub(crate) const MOST_LINES: usize = 20;
/// Limit on the pull requests that one line names.
const MOST_NAMED: usize = 5;

impl Carried {
    /// Returns the list, with the commits that it compares.
    pub(crate) fn list(&self, eval: &EvalContext<'_>, to: &Sha) -> String {
        let contents = match self {
            Self::First => {
                return format!("Nothing came before {}, so it carries everything up to it.", to.code());
            }
            Self::Unknown { why, .. } => {
                return format!("What {} carries is not known: {why}.", to.code());
            }
            Self::Changes(contents) => contents,
        };
        let Contents { from, to, brings, removes, unrelated, others } = contents;
        let (old, new) = (from.code(), to.code());
        if from == to {
            return format!("{new} is what runs already: it carries nothing new.");
        }
        let mut text = format!("From {old} to {new}: {}.", count(brings, removes, *others));
        if *unrelated {
            text.push_str(" The two have no common history.");
        }
        text.push('\n');
        let mut left = MOST_LINES;
        let (pulls, commits): (Vec<&Change>, Vec<&Change>) =
            brings.iter().filter(|change| change.is_new()).partition(|change| change.pull.is_some());
        let idle: Vec<&Change> = brings.iter().filter(|change| !change.is_new()).collect();
        group(eval, &mut text, "Pull requests", &pulls, &mut left);
        group(eval, &mut text, "Commits without a pull request", &commits, &mut left);
        group(eval, &mut text, "Without effect", &idle, &mut left);
        group(eval, &mut text, "Runs now, and is not in it", &removes.iter().collect::<Vec<_>>(), &mut left);
        if let Some(page) = compare(eval, from, to) {
            let _ = writeln!(text, "\n[All commits]({page})");
        }
        text.trim_end().to_owned()
    }

    /// Returns the list as release notes: pull requests in the policy's groups, by their labels.
    pub(crate) fn notes(&self, eval: &EvalContext<'_>, to: &Sha) -> String {
        let Self::Changes(contents) = self else { return self.list(eval, to) };
        let new: Vec<&Change> = contents.brings.iter().filter(|change| change.is_new()).collect();
        let labels = |change: &Change| change.pull.and_then(|pull| eval.facts.item_labels(pull));
        let group_of = |change: &Change| {
            let has = |patterns: &[Pattern]| {
                labels(change).into_iter().flatten().any(|label| patterns.iter().any(|pattern| pattern.matches(label)))
            };
            eval.policy.notes.iter().position(|(_, patterns)| has(patterns))
        };
        let mut text = String::from("### What it carries\n");
        let mut left = MOST_LINES;
        for (index, (title, _)) in eval.policy.notes.iter().enumerate() {
            let of: Vec<&Change> = new.iter().copied().filter(|change| group_of(change) == Some(index)).collect();
            group(eval, &mut text, &quoted(title).replace('`', ""), &of, &mut left);
        }
        let rest: Vec<&Change> = new.iter().copied().filter(|change| group_of(change).is_none()).collect();
        group(
            eval,
            &mut text,
            if eval.policy.notes.is_empty() { "Changes" } else { "Other changes" },
            &rest,
            &mut left,
        );
        if new.is_empty() {
            let _ = writeln!(text, "\nNothing new since {}.", contents.from.code());
        }
        if let Some(page) = compare(eval, &contents.from, &contents.to) {
            let _ = writeln!(text, "\n[All commits]({page})");
        }
        text.trim_end().to_owned()
    }

    /// Returns the contents in a few words, such as `#2, #5 and 3 more`; empty if it carries
    /// nothing new, or that is not known.
    pub(crate) fn brief(&self) -> String {
        let Self::Changes(contents) = self else { return String::new() };
        let new: Vec<&Change> = contents.brings.iter().filter(|change| change.is_new()).collect();
        let mut names: Vec<String> = Vec::new();
        for change in &new {
            names.push(change.pull.map_or_else(|| change.sha.short().to_owned(), |pull| format!("#{pull}")));
        }
        let more = names.len().saturating_sub(MOST_NAMED);
        names.truncate(MOST_NAMED);
        if more > 0 { format!("{} and {more} more", names.join(", ")) } else { names.join(", ") }
    }
}

/// Returns how many changes there are, in words.
fn count(brings: &[Change], removes: &[Change], others: usize) -> String {
    let some = |number: usize, one: &str, many: &str| match number {
        0 => None,
        1 => Some(format!("1 {one}")),
        number => Some(format!("{number} {many}")),
    };
    let new = || brings.iter().filter(|change| change.is_new());
    let parts = [
        some(new().filter(|change| change.pull.is_some()).count(), "pull request", "pull requests"),
        some(
            new().filter(|change| change.pull.is_none()).count(),
            "commit without a pull request",
            "commits without a pull request",
        ),
        some(brings.len() - new().count(), "change without effect", "changes without effect"),
        some(removes.len(), "change taken away", "changes taken away"),
        some(others, "change of other services", "changes of other services"),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if parts.is_empty() { "no change of its own".to_owned() } else { parts.join(", ") }
}

fn group(eval: &EvalContext<'_>, text: &mut String, title: &str, changes: &[&Change], left: &mut usize) {
    if changes.is_empty() {
        return;
    }
    let _ = writeln!(text, "\n**{title}**\n");
    let shown = changes.len().min(*left);
    *left -= shown;
    for change in &changes[..shown] {
        let _ = writeln!(text, "- {}", line(eval, change));
    }
    if changes.len() > shown {
        let _ = writeln!(text, "- and {} more", changes.len() - shown);
    }
}

/// Returns one change: its name, title, author, and the issues that it closes.
fn line(eval: &EvalContext<'_>, change: &Change) -> String {
    let mut text = if let Some(number) = change.pull {
        let item = eval.facts.items.get(&number);
        let title = item.and_then(|item| item.title.as_ref()).map(|title| quoted(&title.value));
        let author = item.and_then(|item| item.author.as_ref()).map(|author| quoted(&author.login));
        let title = title.map_or_else(String::new, |title| format!(" {title}"));
        let author = author.map_or_else(String::new, |author| format!(" by {author}"));
        format!("#{number}{title}{author}")
    } else {
        let pushes = eval.facts.index.brought_by.get(&change.sha).into_iter().flatten();
        let landed = pushes.filter(|(name, _, _)| matches!(name, RefName::Branch(_)));
        let pusher = landed.filter_map(|id| eval.facts.pushes.get(id)).find_map(|push| push.pusher.as_ref());
        let pusher = pusher.map_or_else(String::new, |pusher| format!(", pushed by {}", quoted(&pusher.login)));
        format!("{}{pusher}", change.sha.code())
    };
    let issues: BTreeSet<ItemId> = match change.pull {
        Some(number) => eval.named_issues(number).into_iter().collect(),
        None => eval.closed_by(&change.sha).collect(),
    };
    let numbers = |numbers: &BTreeSet<ItemId>| {
        let mut names: Vec<String> = numbers.iter().take(MOST_NAMED).map(|number| format!("#{number}")).collect();
        let more = numbers.len().saturating_sub(MOST_NAMED);
        names.extend((more > 0).then(|| format!("{more} more")));
        names.join(", ")
    };
    if !issues.is_empty() {
        // Not `closes`: a release's text with that word would close them.
        let _ = write!(text, ", for {}", numbers(&issues));
    }
    if !change.picked_by.is_empty() {
        let _ = write!(text, ", cherry-picked by {}", numbers(&change.picked_by));
    }
    if !change.takes_back.is_empty() {
        let _ = write!(text, ", takes back {}", numbers(&change.takes_back));
    }
    if let Some(by) = &change.taken_back_by {
        let _ = write!(text, ", taken back by {by}");
    }
    if let Some(sha) = &change.runs_as {
        let _ = write!(text, ", runs already as {}", sha.code());
    }
    text
}

/// Returns the forge's page that compares two commits, if its address is known.
fn compare(eval: &EvalContext<'_>, from: &Sha, to: &Sha) -> Option<String> {
    let about = &eval.facts.about;
    let (host, name) = (&about.web_host.as_ref()?.value, &about.full_name.as_ref()?.value);
    let plain = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_./:".contains(&b));
    (plain(host) && plain(name)).then(|| format!("https://{host}/{name}/compare/{}...{}", from.short(), to.short()))
}
