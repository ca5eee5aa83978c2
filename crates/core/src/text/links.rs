//! Addresses of what messages name: commits, items, comments, comparisons.
//!
//! Stored sentences hold no addresses, because a repository may be renamed. Links are added when a
//! message is written.

use crate::domain::{
    fact::{
        RepoFacts,
        command::{CommandId, Source},
        deploy_request::{DeployRequest, RunFacts},
    },
    id::{ItemId, Sha},
    policy::FILE,
};
use crate::text::{message::quoted, sanitize};

/// Where phasebot's own source is, for links to the built-in policy.
const SOURCE: &str = env!("CARGO_PKG_REPOSITORY");

/// Addresses within one repository's web pages. Without a known host, names stay without links.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Links {
    /// `https://github.com/acme/shop`.
    base: Option<String>,
}

impl Links {
    /// Returns the addresses of a repository.
    pub(crate) fn of(facts: &RepoFacts) -> Self {
        let (Some(host), Some(name)) = (&facts.about.web_host, &facts.about.full_name) else {
            return Self { base: None };
        };
        let is_plain = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_./:".contains(&b));
        let base =
            (is_plain(&host.value) && is_plain(&name.value)).then(|| format!("https://{}/{}", host.value, name.value));
        Self { base }
    }

    fn to(&self, words: &str, path: &str) -> String {
        self.base.as_ref().map_or_else(|| words.to_owned(), |base| format!("[{words}]({base}{path})"))
    }

    /// Returns the address of a commit.
    pub(crate) fn commit_page(&self, sha: &Sha) -> Option<String> {
        self.base.as_ref().map(|base| format!("{base}/commit/{sha}"))
    }

    /// Returns the address of an item.
    pub(crate) fn item_page(&self, item: ItemId) -> Option<String> {
        self.base.as_ref().map(|base| format!("{base}/issues/{item}"))
    }

    /// Returns the address of a commit's checks.
    pub(crate) fn checks_page(&self, sha: &Sha) -> Option<String> {
        self.base.as_ref().map(|base| format!("{base}/commit/{sha}/checks"))
    }

    /// Returns the address of a release; `None` if its tag can't stand in an address as it is.
    pub(crate) fn release_page(&self, tag: &str) -> Option<String> {
        let is_plain = !tag.is_empty() && tag.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.+".contains(&b));
        self.base.as_ref().filter(|_| is_plain).map(|base| format!("{base}/releases/tag/{tag}"))
    }

    /// Returns a commit's digits with a link to it.
    pub(crate) fn commit(&self, sha: &Sha) -> String {
        self.to(&sha.code(), &format!("/commit/{sha}"))
    }

    /// Returns `words` with a link to the checks of a commit.
    pub(crate) fn checks(&self, sha: &Sha, words: &str) -> String {
        self.to(words, &format!("/commit/{sha}/checks"))
    }

    /// Returns an item's number with a link to it, for places where the forge makes none.
    pub(crate) fn item(&self, item: ItemId) -> String {
        self.to(&format!("#{item}"), &format!("/issues/{item}"))
    }

    /// Returns a team that the policy names, with or without its organisation, with a link to its page.
    pub(crate) fn team(&self, team: &str) -> String {
        let words = quoted(team);
        let Some((host, repository)) = self.base.as_ref().and_then(|base| {
            let (scheme, rest) = base.split_once("://")?;
            let (host, repository) = rest.split_once('/')?;
            Some((format!("{scheme}://{host}"), repository))
        }) else {
            return words;
        };
        let owner = repository.split('/').next().unwrap_or_default();
        let (organisation, name) = team.split_once('/').unwrap_or((owner, team));
        let is_plain =
            |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
        if !is_plain(organisation) || !is_plain(name) {
            return words;
        }
        format!("[{words}]({host}/orgs/{organisation}/teams/{name})")
    }

    /// Returns `words` with a link to the comment or review of a command. `words` are Markdown.
    pub(crate) fn command(&self, id: CommandId, words: &str) -> String {
        let anchor = match id.source {
            Source::Comment(comment) => format!("issuecomment-{comment}"),
            Source::Review(review) => format!("pullrequestreview-{review}"),
        };
        self.to(words, &format!("/issues/{}#{anchor}", id.item))
    }

    /// Returns `words` with a link to what `to` has beyond `from`.
    pub(crate) fn compare(&self, from: &Sha, to: &Sha, words: &str) -> String {
        self.to(words, &format!("/compare/{from}...{to}"))
    }

    /// Returns `words` with a link to the repository's policy file, at a line if it is known.
    pub(crate) fn policy(&self, line: Option<u32>, words: &str) -> String {
        let line = line.map_or_else(String::new, |line| format!("#L{line}"));
        self.to(words, &format!("/blob/HEAD/{FILE}{line}"))
    }

    /// Returns `words` with a link to the page that edits the policy file.
    pub(crate) fn edit_policy(&self, words: &str) -> String {
        self.to(words, &format!("/edit/HEAD/{FILE}"))
    }

    /// Returns the position of a policy's rule, `built-in:27` or `.github/phasebot.yml:9`, with a
    /// link to the line.
    pub(crate) fn rule(&self, rule: &str) -> String {
        let Some((file, line)) = rule.rsplit_once(':').filter(|(_, line)| line.bytes().all(|b| b.is_ascii_digit()))
        else {
            return quoted(rule);
        };
        let words = quoted(rule);
        match file {
            "built-in" => {
                let version = env!("CARGO_PKG_VERSION");
                format!("[{words}]({SOURCE}/blob/v{version}/config/policy.default.yml#L{line})")
            }
            FILE => self.to(&words, &format!("/blob/HEAD/{FILE}#L{line}")),
            _ => words,
        }
    }

    /// Links every commit in a text that is written as [`Sha::code`] writes it.
    pub(crate) fn dress(&self, markdown: &str) -> String {
        self.outside_fences(markdown, |line| self.commits(line))
    }

    /// Links commits and items: a check run's summary has no cross-references of its own.
    pub(crate) fn dress_check(&self, markdown: &str) -> String {
        self.outside_fences(markdown, |line| self.items(&self.commits(line)))
    }

    fn outside_fences(&self, markdown: &str, dress: impl Fn(&str) -> String) -> String {
        if self.base.is_none() {
            return markdown.to_owned();
        }
        let mut fence = String::new();
        let mut out = String::with_capacity(markdown.len() * 2);
        for line in markdown.split_inclusive('\n') {
            let ticks: String = line.chars().take_while(|c| *c == '`').collect();
            // An odd backtick opens no code, so that it is not known which parts are code.
            let is_odd = line.matches('`').count() % 2 == 1;
            if fence.is_empty() && ticks.len() >= 3 {
                fence = ticks;
                out.push_str(line);
            } else if !fence.is_empty() {
                if line.trim_end() == fence {
                    fence.clear();
                }
                out.push_str(line);
            } else if is_odd {
                out.push_str(line);
            } else {
                out.push_str(&dress(line));
            }
        }
        out
    }

    fn commits(&self, line: &str) -> String {
        let mut out = String::with_capacity(line.len());
        // In code with one backtick on each side, every second piece is code; with two, none is.
        for (index, piece) in line.split('`').enumerate() {
            if index % 2 == 0 {
                out.push_str(piece);
            } else if Sha::is_short_form(piece) && !out.ends_with('[') {
                out.push_str(&self.to(&format!("`{piece}`"), &format!("/commit/{piece}")));
            } else {
                out.push('`');
                out.push_str(piece);
                out.push('`');
            }
        }
        out
    }

    fn items(&self, line: &str) -> String {
        let mut out = String::with_capacity(line.len());
        for (index, piece) in line.split('`').enumerate() {
            if index > 0 {
                out.push('`');
            }
            if index % 2 == 1 {
                out.push_str(piece);
                continue;
            }
            let mut rest = piece;
            while let Some(at) = rest.find('#') {
                let (before, after) = rest.split_at(at);
                let digits: String = after[1..].chars().take_while(char::is_ascii_digit).collect();
                let is_bare = before.chars().next_back().is_none_or(|c| c.is_whitespace() || "(,".contains(c));
                out.push_str(before);
                match digits.parse::<ItemId>() {
                    Ok(number) if is_bare => out.push_str(&self.item(number)),
                    _ => out.push_str(&after[..=digits.len()]),
                }
                rest = &after[1 + digits.len()..];
            }
            out.push_str(rest);
        }
        out
    }
}

/// Returns a link to the workflow run that carries out a request.
pub(crate) fn run_link(facts: &RepoFacts, request: &DeployRequest) -> Option<String> {
    facts.runs.get(&request.run?).map(run_page).filter(|page| !page.is_empty())
}

/// Returns a link to a workflow run.
pub(crate) fn run_page(run: &RunFacts) -> String {
    let file = run.workflow.rsplit('/').next().unwrap_or_default();
    let words = format!("run of {}", quoted(file));
    sanitize::link(&run.url).map_or_else(|| words.clone(), |page| format!("[{words}]({page})"))
}

/// Returns `words` with a link to a page of phasebot's documentation.
pub(crate) fn manual(page: &str, words: &str) -> String {
    format!("[{words}]({SOURCE}/blob/v{}/docs/{page})", env!("CARGO_PKG_VERSION"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn links() -> Links {
        Links { base: Some("https://x.test/a/b".into()) }
    }

    #[test]
    fn commits_are_linked_once_and_nothing_else_is() {
        let dressed = links().dress("`abc1234` and [`abc1234`](y) and `abc123` and abc1234\n```\n`abc1234`\n```\n");
        assert_eq!(
            dressed,
            "[`abc1234`](https://x.test/a/b/commit/abc1234) and [`abc1234`](y) and `abc123` and abc1234\n```\n`abc1234`\n```\n"
        );
    }

    #[test]
    fn a_name_that_looks_like_a_commit_is_not_linked() {
        let line = format!("branch {} and `x", quoted("abc1234"));
        assert_eq!(links().dress(&line), line);
        let line = quoted("abc1234") + " `abc1235`";
        assert_eq!(links().dress(&line), "``abc1234`` [`abc1235`](https://x.test/a/b/commit/abc1235)");
    }

    #[test]
    fn items_are_linked_outside_of_code_only() {
        assert_eq!(links().dress_check("a ` b `#4` #5"), "a ` b `#4` #5");
        let dressed = links().dress_check("#4, `#4` (#5) \\#6 [#7](y)");
        assert_eq!(dressed, "[#4](https://x.test/a/b/issues/4), `#4` ([#5](https://x.test/a/b/issues/5)) \\#6 [#7](y)");
    }

    #[test]
    fn a_team_leads_to_its_page() {
        assert_eq!(links().team("sre"), "[`sre`](https://x.test/orgs/a/teams/sre)");
        assert_eq!(links().team("acme/sre"), "[`acme/sre`](https://x.test/orgs/acme/teams/sre)");
        assert_eq!(links().team("a/b/c"), "`a/b/c`");
    }

    #[test]
    fn a_rule_leads_to_its_line() {
        assert_eq!(
            links().rule(".github/phasebot.yml:9"),
            "[`.github/phasebot.yml:9`](https://x.test/a/b/blob/HEAD/.github/phasebot.yml#L9)"
        );
        assert!(links().rule("built-in:27").contains("/config/policy.default.yml#L27)"));
    }
}
