//! Plays the story step by step, and describes the result of each step.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use pulldown_cmark::{Event, Parser};

use crate::{
    cli::{
        Failure,
        demo::{
            drawing,
            page::Page,
            stage::{REPO, Sent, Stage, simulation},
            story::{Act, Cast, FEEDBACK, ISSUE, MAIL, PULL, Step, minutes},
        },
    },
    domain::id::ItemId,
    port::clock::Clock,
};
use phasebot_forge_sim::{Delivery, LabelChange};

/// Every item of the story.
pub(super) const ITEMS: [ItemId; 4] = [ISSUE, PULL, FEEDBACK, MAIL];

/// A story being played.
pub(super) struct Play<'a> {
    stage: &'a Stage,
    cast: Cast,
    pause: Duration,
    steps: usize,
    /// Number of entries of each item's label history that have been shown.
    told: BTreeMap<ItemId, usize>,
    odd: Vec<String>,
}

/// Result of a step.
#[derive(Default)]
struct Outcome {
    sent: Vec<Sent>,
    /// Answer to a repeated delivery.
    again: Option<Sent>,
    /// HTTP status of the answer to an alert.
    alert: Option<u16>,
    calls: usize,
}

impl<'a> Play<'a> {
    /// Prepares the story; `pause` follows each step.
    pub(super) fn new(stage: &'a Stage, pause: Duration) -> Result<Self, Failure> {
        let cast = Cast::new(&stage.forge).map_err(simulation)?;
        Ok(Self { stage, cast, pause, steps: 0, told: BTreeMap::new(), odd: Vec::new() })
    }

    /// Returns the unexpected results, one sentence each.
    pub(super) fn odd(&self) -> &[String] {
        &self.odd
    }

    /// Plays a step.
    pub(super) async fn step(&mut self, page: &mut Page<'_>, step: &Step) -> Result<(), Failure> {
        self.steps += 1;
        let mut outcome = Outcome { sent: self.stage.pass(minutes(step.minutes)).await?, ..Outcome::default() };
        let begun = self.stage.clock.now();
        let calls = self.stage.forge.requests().len();
        for act in &step.acts {
            self.act(act, &mut outcome).await?;
        }
        outcome.calls = self.stage.forge.requests().len() - calls;
        self.tell(page, step, begun, &outcome).await?;
        self.judge(page, step, &outcome)?;
        tokio::time::sleep(self.pause).await;
        Ok(())
    }

    async fn act(&mut self, act: &Act, outcome: &mut Outcome) -> Result<(), Failure> {
        match act {
            Act::Do(what) => {
                what(&mut self.cast).map_err(simulation)?;
                // The bot limits its writes per second.
                outcome.sent.extend(self.stage.pass(minutes(1)).await?);
            }
            Act::Alert(state) => {
                outcome.alert = Some(self.stage.alert(state).await?);
                outcome.sent.extend(self.stage.settle().await?);
            }
            Act::Minutes(count) => outcome.sent.extend(self.stage.pass(minutes(*count)).await?),
            Act::Redeliver => {
                let all = self.stage.forge.deliveries();
                let Some(first) = all.into_iter().find(|d| name(d) == "issues.opened") else { return Ok(()) };
                let status = self.stage.forge.send(&first).await;
                outcome.again = Some((first, status));
                outcome.sent.extend(self.stage.settle().await?);
            }
        }
        Ok(())
    }

    async fn tell(
        &mut self,
        page: &mut Page<'_>,
        step: &Step,
        begun: Timestamp,
        outcome: &Outcome,
    ) -> Result<(), Failure> {
        let title = format!("{:>2}  {}  {}", self.steps, begun.strftime("%a %H:%M"), step.title);
        page.line("")?;
        page.line(&page.strong(&title))?;
        page.entry("", step.told)?;
        if let Some(arrived) = arrived(outcome) {
            page.entry("arrived", &arrived)?;
        }
        let mut moved = Vec::new();
        for item in ITEMS {
            let history = self.stage.forge.label_history(REPO, item);
            let told = self.told.insert(item, history.len()).unwrap_or(0);
            let mut new = history.get(told..).unwrap_or_default().to_vec();
            new.retain(|change| self.stage.policy.label_index(&change.label).is_some());
            if !new.is_empty() {
                page.entry("did", &format!("#{item}  {}", self.path(page, &new)))?;
                moved.push(item);
            }
        }
        let derived = self.stage.derived(ISSUE).await?;
        match &derived {
            _ if outcome.again.is_some() => {
                page.entry("did", "nothing: it was taken in before, and nothing happens twice")?;
            }
            Some(derived) if moved.is_empty() => {
                page.entry("did", "nothing: every label is right")?;
                if let Some(next) = derived.next.last() {
                    page.entry("next", next)?;
                }
            }
            None => page.entry("did", "nothing: installing writes nothing by itself")?,
            Some(_) => {}
        }
        self.why(page, &moved).await?;
        if outcome.alert.is_some() {
            self.feedback(page)?;
        }
        if !moved.is_empty() {
            let calls = outcome.calls;
            page.entry("cost", &format!("{calls} API call{}", if calls == 1 { "" } else { "s" }))?;
        }
        if moved.contains(&ISSUE) {
            let here = derived.and_then(|derived| derived.phase);
            page.line("")?;
            for line in drawing::draw(page, &self.stage.policy.phases, here.as_deref()) {
                page.line(&format!("           {line}"))?;
            }
        }
        Ok(())
    }

    /// Shows the reasons for the phases of the items that moved; the same reason only once.
    async fn why(&self, page: &mut Page<'_>, moved: &[ItemId]) -> Result<(), Failure> {
        let mut reasons: Vec<(String, String)> = Vec::new();
        for item in moved {
            let Some(derived) = self.stage.derived(*item).await? else { continue };
            let mut text = derived.reason.sentence;
            if !derived.reason.rule.is_empty() {
                text = format!("{text}  {}", page.faint(&format!("[rule {}]", derived.reason.rule)));
            }
            match reasons.iter_mut().find(|(_, known)| *known == text) {
                Some((items, _)) => *items = format!("{items} #{item}"),
                None => reasons.push((format!("#{item}"), text)),
            }
        }
        for (items, text) in reasons {
            page.entry("why", &format!("{items}  {text}"))?;
        }
        Ok(())
    }

    /// Shows the feedback issue's title, suspect and way back.
    fn feedback(&self, page: &mut Page<'_>) -> Result<(), Failure> {
        let (title, body) = self.stage.forge.text(REPO, FEEDBACK);
        page.entry("filed", &format!("#{FEEDBACK}  {title}"))?;
        let suspect =
            body.lines().skip_while(|line| *line != "### Suspected change").find(|line| line.starts_with("- "));
        if let Some(suspect) = suspect {
            page.entry("suspect", &plain(suspect))?;
        }
        if let Some(back) = body.lines().find(|line| line.starts_with("/rollback ")) {
            page.entry("way back", back)?;
        }
        Ok(())
    }

    /// Formats the label changes that people saw.
    fn path(&self, page: &Page<'_>, changes: &[LabelChange]) -> String {
        let shown = |label: &str| {
            let rule = self.stage.policy.label_index(label).map(|index| &self.stage.policy.phases[index]);
            rule.map_or_else(|| label.to_owned(), |rule| page.label(label, &rule.color))
        };
        let mut path: Vec<String> = Vec::new();
        for change in changes {
            let first = path.is_empty();
            if first && change.added {
                path.push("no label".to_owned());
            }
            if first || change.added {
                path.push(shown(&change.label));
            }
        }
        if changes.last().is_some_and(|change| !change.added) {
            path.push("no label".to_owned());
        }
        path.join(" → ")
    }

    /// Compares the result with the story's expectation.
    fn judge(&mut self, page: &mut Page<'_>, step: &Step, outcome: &Outcome) -> Result<(), Failure> {
        let mut odd = Vec::new();
        for (item, phase) in &step.phases {
            let expected = phase.map_or_else(|| "no label".to_owned(), |phase| format!("phase/{phase}"));
            let labels = self.stage.phase_labels(*item);
            let got = if labels.is_empty() {
                "no label".to_owned()
            } else {
                labels.into_iter().collect::<Vec<_>>().join(" and ")
            };
            if got != expected {
                odd.push(format!("#{item}: expected {expected}, got {got}"));
            }
        }
        for (delivery, status) in outcome.sent.iter().filter(|(_, status)| *status != 202) {
            odd.push(format!("{}: expected the answer 202, got {status}", name(delivery)));
        }
        for (delivery, status) in outcome.again.iter().filter(|(_, status)| *status != 200) {
            odd.push(format!("{} again: expected the answer 200, got {status}", name(delivery)));
        }
        if let Some(status) = outcome.alert {
            let body = self.stage.forge.text(REPO, FEEDBACK).1;
            let names = [format!("#{PULL}"), "### Suspected change".to_owned(), "/rollback production".to_owned()];
            odd.extend(
                names
                    .iter()
                    .filter(|name| !body.contains(name.as_str()))
                    .map(|name| format!("the feedback issue does not tell {name}")),
            );
            if status != 202 {
                odd.push(format!("the alert: expected the answer 202, got {status}"));
            }
        }
        if outcome.again.is_some() && outcome.calls > 0 {
            odd.push(format!("a repeated delivery: expected no API call, got {}", outcome.calls));
        }
        for text in odd {
            page.entry("wrong", &page.alarm(&text))?;
            self.odd.push(format!("step {} ({}): {text}", self.steps, step.title));
        }
        Ok(())
    }
}

/// Writes the title.
pub(super) fn open(page: &mut Page<'_>) -> Result<(), Failure> {
    page.line(&page.strong("phasebot: one request through the whole loop"))?;
    page.text(
        "The bot is the real one. The forge is simulated, so is the time; what they say to each other \
         is signed HTTP.",
    )?;
    Ok(())
}

/// Lists the webhooks of a step, by name with the end of their ids.
fn arrived(outcome: &Outcome) -> Option<String> {
    if let Some(status) = outcome.alert {
        return Some(format!("an alert at POST /alerts/prod, answered {status}"));
    }
    if let Some((delivery, status)) = &outcome.again {
        return Some(format!("{} {} once more, answered {status} duplicate", name(delivery), short(delivery)));
    }
    let (ours, theirs): (Vec<_>, Vec<_>) = outcome.sent.iter().map(|(delivery, _)| delivery).partition(|d| is_echo(d));
    if theirs.is_empty() && ours.is_empty() {
        return None;
    }
    let mut parts: Vec<String> = theirs.iter().map(|d| format!("{} {}", name(d), short(d))).collect();
    if !ours.is_empty() {
        let and = if parts.is_empty() { "" } else { "and " };
        let echoes = if ours.len() == 1 { "echo" } else { "echoes" };
        parts.push(format!("{and}{} {echoes} of its own writes", ours.len()));
    }
    Some(parts.join(", "))
}

/// Returns whether a delivery reports an action of the bot itself.
fn is_echo(delivery: &Delivery) -> bool {
    delivery.payload.pointer("/sender/login").and_then(serde_json::Value::as_str) == Some("phasebot[bot]")
}

fn name(delivery: &Delivery) -> String {
    match &delivery.action {
        Some(action) => format!("{}.{action}", delivery.event),
        None => delivery.event.clone(),
    }
}

/// Returns the end of a delivery's id; all ids of a simulation begin alike.
fn short(delivery: &Delivery) -> String {
    let digits: Vec<char> = delivery.guid.chars().collect();
    format!("…{}", digits[digits.len().saturating_sub(6)..].iter().collect::<String>())
}

/// Returns the text of a line of Markdown.
fn plain(markdown: &str) -> String {
    let text = |event| match event {
        Event::Text(text) => Some(text.into_string()),
        Event::Code(code) => Some(format!("`{code}`")),
        _ => None,
    };
    Parser::new(markdown).filter_map(text).collect()
}
