//! Replies to commands: reactions, a comment, or the status comment.

use jiff::{SignedDuration, Timestamp};

use crate::{
    command::{extract::Request, reaction::Reaction, share::Share},
    domain::{
        effect::Effect,
        fact::{
            RepoFacts,
            command::{CommandId, Ending, Reply, Source},
        },
        id::ItemId,
        turn::Turn,
    },
    plan::{DecisionContext, PlannedEffect},
    text::{headline, links::Links, message::quoted},
};

/// Time in which one comment per item may answer people who may not use the command.
const BUDGET: SignedDuration = SignedDuration::from_hours(1);

/// Text of a reply in words.
#[derive(Debug, Clone)]
pub(super) struct AnswerText {
    id: CommandId,
    line: String,
    symbol: &'static str,
    words: String,
    unasked: bool,
}

impl AnswerText {
    /// Returns the text for an ending that needs one.
    pub(super) fn of(id: CommandId, line: &str, ending: &Ending, unasked: bool) -> Option<Self> {
        let (symbol, words) = match ending {
            Ending::Done(_) | Ending::Pending => return None,
            Ending::Failed(words) => ("❌", words),
            Ending::Refused(words) => ("👎", words),
            Ending::Misread(words) => ("😕", words),
        };
        (!words.is_empty()).then(|| Self { id, line: line.to_owned(), symbol, words: words.text.clone(), unasked })
    }
}

impl AnswerText {
    /// Returns the text for something that was done and leaves something to do. `words` begin with a
    /// first line.
    pub(super) fn done(id: CommandId, line: &str, words: &str) -> Self {
        Self { id, line: line.to_owned(), symbol: "✅", words: words.to_owned(), unasked: false }
    }

    /// Returns the text for a dry run, which started nothing. `words` begin with a first line.
    pub(super) fn dry_run(id: CommandId, line: &str, words: &str) -> Self {
        Self { symbol: "🧪", ..Self::done(id, line, words) }
    }

    /// Returns the text for a question that is answered by a text of its own.
    pub(super) fn answer(id: CommandId, line: &str, text: &str, unasked: bool) -> Self {
        let words = format!("{}\n\n{text}", headline::line("answered below", &Turn::Nobody));
        Self { id, line: line.to_owned(), symbol: "💬", words, unasked }
    }

    /// Returns the text, with a link to the command's comment.
    fn text(&self, links: &Links) -> String {
        links.dress(&format!("{} {}: {}", self.symbol, links.command(self.id, &quoted(&self.line)), self.words))
    }
}

/// Returns a command's name in keys and markers.
pub(super) fn name(id: CommandId) -> String {
    format!("{}-{}", source(id.source), id.index)
}

fn source(source: Source) -> String {
    match source {
        Source::Comment(id) => format!("comment-{id}"),
        Source::Review(id) => format!("review-{id}"),
    }
}

/// Returns the effect that reacts to the comment or review.
pub(super) fn reaction(request: &Request, mood: Reaction) -> Option<PlannedEffect> {
    react(request.item, request.source, request.node.as_deref(), mood)
}

pub(super) fn react(item: ItemId, from: Source, node: Option<&str>, mood: Reaction) -> Option<PlannedEffect> {
    // The forge finds a review by its global id alone.
    if matches!(from, Source::Review(_)) && node.is_none() {
        return None;
    }
    let key = format!("react/{}/{}", source(from), mood.word());
    let effect = Effect::React { item, source: from, node: node.map(str::to_owned), reaction: mood };
    Some(PlannedEffect { key, replaces: false, effect })
}

/// Returns the effect that announces in a separate comment what a command is about to do, if there
/// is anything to announce. This comment stays when others are minimized.
pub(super) fn note(facts: &RepoFacts, id: CommandId, line: &str, words: &str) -> Option<PlannedEffect> {
    let marker = note_marker(id);
    let links = Links::of(facts);
    let turn = Turn::by_itself("phasebot reports the outcome here");
    let body =
        format!("⏳ {}: {}", links.command(id, &quoted(line)), headline::line(words.trim_end_matches('.'), &turn));
    let body = links.dress(&body);
    let effect = Effect::UpsertComment { item: id.item, marker, body, sticky: false };
    (!words.is_empty()).then(|| PlannedEffect { key: format!("note/{}", name(id)), replaces: false, effect })
}

fn note_marker(id: CommandId) -> String {
    format!("note:{}", name(id))
}

/// Returns the effect that replaces the text of an announcement with the outcome.
pub(super) fn note_over(facts: &RepoFacts, id: CommandId, words: &str) -> PlannedEffect {
    let effect = Effect::UpsertComment {
        item: id.item,
        marker: note_marker(id),
        body: Links::of(facts).dress(words),
        sticky: true,
    };
    PlannedEffect { key: format!("note/{}/over", name(id)), replaces: false, effect }
}

/// Posts the replies: in a separate comment while the budget lasts, otherwise in the status
/// comment. The previous reply is minimized.
pub(super) fn say(
    facts: &mut RepoFacts,
    request: &Request,
    sayings: &[AnswerText],
    share: Share,
    terms: &DecisionContext<'_>,
) -> Vec<PlannedEffect> {
    say_as(facts, request.item, &source(request.source), sayings, share.may_be_answered(), terms.now)
}

/// Posts the reply to a single command that ended later.
pub(super) fn say_later(
    facts: &mut RepoFacts,
    id: CommandId,
    saying: AnswerText,
    now: Timestamp,
) -> Vec<PlannedEffect> {
    say_as(facts, id.item, &name(id), &[saying], true, now)
}

fn say_as(
    facts: &mut RepoFacts,
    item: ItemId,
    name: &str,
    sayings: &[AnswerText],
    may_comment: bool,
    now: Timestamp,
) -> Vec<PlannedEffect> {
    if sayings.is_empty() {
        return Vec::new();
    }
    let unasked = sayings.iter().all(|saying| saying.unasked);
    let replies: Vec<&Reply> = facts.commands_on(item).into_iter().filter_map(|(_, f)| f.reply.as_ref()).collect();
    let spent =
        replies.iter().any(|reply| reply.unasked && reply.marker.is_some() && now.duration_since(reply.at) < BUDGET);
    let last = replies.iter().filter(|reply| reply.marker.is_some()).max_by_key(|reply| reply.at).map(|r| (*r).clone());
    let marker = (may_comment && (!unasked || !spent)).then(|| format!("answer:{name}"));
    let reply = Reply { at: now, marker: marker.clone(), unasked };
    for saying in sayings {
        facts.commands.update(&saying.id, |command| command.reply = Some(reply.clone()));
    }
    let Some(marker) = marker else { return Vec::new() };
    let links = Links::of(facts);
    let text = sayings.iter().map(|saying| saying.text(&links)).collect::<Vec<_>>().join("\n\n");
    let effect = Effect::UpsertComment { item, marker: marker.clone(), body: text, sticky: false };
    let mut effects = vec![PlannedEffect { key: format!("answer/{name}"), replaces: false, effect }];
    if let Some(Reply { at, marker: Some(old), .. }) = last.filter(|last| last.marker.as_ref() != Some(&marker)) {
        let key = format!("fold/{old}");
        effects.push(PlannedEffect {
            key,
            replaces: false,
            effect: Effect::FoldComment { item, marker: old, since: at },
        });
    }
    effects
}

/// Returns the line for the delivery's notes, which are logged: the verb and the ending, but
/// nothing of the comment's text.
pub(super) fn log_line(request: &Request, verb: Option<&str>, ending: &Ending) -> String {
    let word = match ending {
        Ending::Done(_) => "done",
        Ending::Pending => "under way",
        Ending::Failed(_) => "failed",
        Ending::Refused(_) => "refused",
        Ending::Misread(_) => "not understood",
    };
    let verb = verb.map_or_else(|| "a command".to_owned(), |verb| format!("`/{verb}`"));
    format!("{verb} by {}: {word}", quoted(&request.by.login))
}
