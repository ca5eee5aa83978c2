//! Our block in the text of a draft release.

use http::Method;
use serde::Deserialize;
use serde_json::json;

use crate::{
    forge::github::repo::Repo,
    port::forge::{Applied, ForgeError},
};

const BEGIN: &str = "<!-- phasebot:notes -->";
const END: &str = "<!-- /phasebot:notes -->";

/// Lines by which GitHub's own generated notes are recognised.
const GENERATED: [&str; 2] = ["## What's Changed", "**Full Changelog**:"];

#[derive(Deserialize)]
struct Release {
    draft: bool,
    tag_name: String,
    #[serde(default)]
    body: Option<String>,
}

/// Sets our block in the text of a draft, or removes it from one that has GitHub's own generated
/// notes. What people wrote stays as it is. A published release is left alone.
pub(super) async fn set(repo: &mut Repo<'_>, release: u64, tag: &str, text: &str) -> Result<Applied, ForgeError> {
    let tail = format!("/releases/{release}");
    let draft: Release = repo.get("GET /repos/{owner}/{repo}/releases/{release_id}", &tail).await?.json()?;
    let body = draft.body.unwrap_or_default();
    let wanted = with_block(&body, text);
    if draft.draft && draft.tag_name == tag && wanted != body {
        let route = "PATCH /repos/{owner}/{repo}/releases/{release_id}";
        repo.send(Method::PATCH, route, &tail, Some(json!({ "body": wanted }))).await?;
    }
    Ok(Applied::default())
}

/// Returns a text with our block in its place, or at the end if there is none yet.
fn with_block(body: &str, text: &str) -> String {
    let begin = body.find(BEGIN);
    let end = begin.and_then(|begin| body[begin..].find(END).map(|at| begin + at + END.len()));
    let (before, after) = match (begin, end) {
        (Some(begin), Some(end)) => (&body[..begin], &body[end..]),
        // Somebody removed the end: what follows is theirs.
        (Some(begin), None) => (&body[..begin], &body[begin + BEGIN.len()..]),
        (None, _) => (body, ""),
    };
    let people = format!("{before}{after}");
    if people.lines().any(|line| GENERATED.iter().any(|mark| line.trim_start().starts_with(mark))) {
        return if begin.is_some() { people.trim_end().to_owned() } else { body.to_owned() };
    }
    let gap = if before.is_empty() || before.ends_with("\n\n") || begin.is_some() { "" } else { "\n\n" };
    format!("{before}{gap}{BEGIN}\n{text}\n{END}{after}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_block_is_added_once_and_then_replaced_in_place() {
        let first = with_block("Thanks to all.", "one");
        assert_eq!(first, "Thanks to all.\n\n<!-- phasebot:notes -->\none\n<!-- /phasebot:notes -->");
        let edited = format!("{first}\n\nSee you.");
        let second = with_block(&edited, "two");
        assert_eq!(second, edited.replace("one", "two"));
        assert_eq!(with_block(&second, "two"), second);
        assert_eq!(with_block("", "one"), "<!-- phasebot:notes -->\none\n<!-- /phasebot:notes -->");
    }

    #[test]
    fn generated_notes_are_not_doubled() {
        let generated = "## What's Changed\n* Mend by @ann in #2\n\n**Full Changelog**: a...b";
        assert_eq!(with_block(generated, "one"), generated);
        let both = format!("{}\n{generated}", with_block("", "one"));
        assert_eq!(with_block(&both, "two"), format!("\n{generated}"));
    }

    #[test]
    fn text_after_a_broken_block_is_kept() {
        assert_eq!(
            with_block("A\n\n<!-- phasebot:notes -->\nold\n\nB", "new"),
            "A\n\n<!-- phasebot:notes -->\nnew\n<!-- /phasebot:notes -->\nold\n\nB"
        );
    }
}
