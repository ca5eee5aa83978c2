//! Suggested commands in repositories in which only `/phasebot COMMAND` works.

use crate::{
    command::parse::{ADDRESS, find},
    domain::{effect::Effect, policy::Policy},
};

/// Writes the commands that an effect's texts suggest as `/phasebot COMMAND`, if the policy wants
/// that.
pub(crate) fn address(effect: &mut Effect, policy: &Policy) {
    if policy.commands.bare {
        return;
    }
    if let Some(text) = effect.markdown() {
        *text = in_markdown(text);
    }
    if let Some(title) = effect.verdict_title() {
        *title = after(title, ' ');
    }
}

/// Addresses the commands that begin inline code, and those that begin a line of a code block: no
/// other words are ours for certain.
fn in_markdown(text: &str) -> String {
    let mut in_block = false;
    let line = |line: &str| {
        let is_fence = line.starts_with("```");
        in_block ^= is_fence;
        match line.strip_prefix('/') {
            _ if is_fence => line.to_owned(),
            Some(rest) if in_block && is_command(rest) => format!("/{ADDRESS} {rest}"),
            Some(_) | None if in_block => line.to_owned(),
            Some(_) | None => after(line, '`'),
        }
    };
    text.split('\n').map(line).collect::<Vec<_>>().join("\n")
}

/// Addresses the commands that stand right after a character.
fn after(text: &str, before: char) -> String {
    let slash = format!("{before}/");
    let mut parts = text.split(slash.as_str());
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        out.push_str(&slash);
        if is_command(part) {
            out.push_str(ADDRESS);
            out.push(' ');
        }
        out.push_str(part);
    }
    out
}

/// Returns whether a text begins with the name of a command.
fn is_command(text: &str) -> bool {
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '-').unwrap_or(text.len());
    !text[end..].starts_with('/') && find(&text[..end]).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_addressed_and_other_words_stay() {
        let text = "Next: comment `/deploy staging`.\n\n```text\n/deploy staging\n```\n\n\
            `/ack` · `/mute 2h` · [`/why`](https://github.com/acme/why/issues/1) · `/etc` · `/status/x` · /status";
        assert_eq!(
            in_markdown(text),
            "Next: comment `/phasebot deploy staging`.\n\n```text\n/phasebot deploy staging\n```\n\n\
             `/phasebot ack` · `/phasebot mute 2h` · [`/phasebot why`](https://github.com/acme/why/issues/1) · \
             `/etc` · `/status/x` · /status"
        );
        assert_eq!(in_markdown(&in_markdown(text)), in_markdown(text));
        assert_eq!(
            after("Blocked: comment /rollback staging to go back", ' '),
            "Blocked: comment /phasebot rollback staging to go back"
        );
    }
}
