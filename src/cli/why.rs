//! `phasebot why`: explains the phase of an issue or pull request, and what it waits for.

use std::io::Write;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;

use crate::{
    app::{PolicySource, clock::SystemClock, write_pause},
    cli::{Context, Failure, Format, deliveries, explain, policy, runtime, store, target::ItemRef, text},
    domain::{
        derived::{Derived, Transition},
        fact::RepoFacts,
        policy::Mode,
    },
    phase,
    port::{
        clock::Clock,
        store::{DeliveryFilter, DeliveryRow, EffectState, RepositoryRow, Store, StoredEffect},
    },
};

/// Number of the newest effects that are searched for those of the item.
const EFFECTS: usize = 1_000;
/// Maximum number of deliveries shown, the newest.
const DELIVERIES: usize = 20;

/// Explain why an issue or pull request is in its phase.
///
/// Shows the evidence, the missing conditions for the next phase, the history, effects that are not
/// sent yet, and the deliveries that concerned it. Reads the database while `serve` runs; sends no
/// request to the forge.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  phasebot why acme/shop#12\n  phasebot why https://github.com/acme/shop/pull/12 --format json"
)]
pub struct Args {
    /// The issue or pull request, or its address.
    #[arg(value_name = "OWNER/NAME#N")]
    pub item: ItemRef,
    /// Output format.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// Everything that is known about one item's phase.
#[derive(Debug, Serialize)]
struct Account {
    repository: String,
    active: bool,
    /// The settings disable all writes.
    dry_run: bool,
    /// Reason why an operator paused all writes, if they are paused.
    paused: Option<String>,
    mode: Mode,
    derived: Derived,
    /// Labels of the item as last seen.
    labels: Vec<String>,
    /// Phase changes of earlier cycles and of this one, as stored.
    history: Vec<Transition>,
    waiting: Vec<Waiting>,
    deliveries: Vec<DeliveryRow>,
}

/// An effect that is not done yet.
#[derive(Debug, Serialize)]
struct Waiting {
    /// Description of the effect.
    effect: String,
    state: EffectState,
    attempts: u32,
    queued_at: Timestamp,
    not_before: Timestamp,
    /// Last error.
    note: String,
}

/// Runs the command on the store that the settings name.
pub(super) fn run(args: &Args, context: &Context, out: &mut dyn Write) -> Result<(), Failure> {
    let loaded = context.settings()?;
    context.start_logs(&loaded)?;
    let policies = policy::operators(loaded.settings.policy_file.as_deref())?;
    runtime()?.block_on(async {
        let store = store::open(&loaded.settings).await?;
        let moment = (SystemClock.now(), loaded.settings.dry_run);
        perform(args, store.as_ref(), policies.as_ref(), moment, out).await
    })
}

/// Runs the command on `store`.
pub async fn perform(
    args: &Args,
    store: &dyn Store,
    policies: &dyn PolicySource,
    (now, dry_run): (Timestamp, bool),
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let row = args.item.find(store).await?;
    let account = Account { dry_run, ..account(&row, args.item.item, store, policies, now).await? };
    match args.format {
        Format::Text => write(&account, out),
        Format::Json => {
            writeln!(out, "{}", json!(account))?;
            Ok(())
        }
    }
}

async fn account(
    row: &RepositoryRow,
    item: u64,
    store: &dyn Store,
    policies: &dyn PolicySource,
    now: Timestamp,
) -> Result<Account, Failure> {
    let documents = store.facts(&row.repo).await?;
    let documents = documents.iter().filter_map(|document| Some((document.key.as_str(), document.body.as_deref()?)));
    let (facts, _) = RepoFacts::load(row.repo.clone(), documents);
    if !facts.items.contains_key(&item) {
        return Err(Failure::Message(format!(
            "{}#{item}: nothing is recorded of it. `phasebot deliveries list --repository {}` shows what arrived; \
             `phasebot catch-up` takes in what was missed, `phasebot backfill {}` what is older",
            row.full_name, row.full_name, row.full_name
        )));
    }
    let policy = policies.policy(&row.repo, &facts.policy_files);
    let effects = store.effects(false, EFFECTS).await?.into_iter().filter(|effect| {
        let is_open = matches!(effect.state, EffectState::Queued | EffectState::Sending | EffectState::Dead);
        effect.repo == row.repo && effect.effect.item() == Some(item) && is_open
    });
    let filter = DeliveryFilter { repo: Some(row.repo.id), limit: deliveries::LOOKED_AT, ..DeliveryFilter::default() };
    let rows = store.deliveries(&filter).await?;
    Ok(Account {
        repository: row.full_name.clone(),
        active: row.active,
        dry_run: false,
        paused: store.memo(write_pause::MEMO).await?,
        mode: policy.mode,
        derived: phase::derive(&facts, item, &policy, now),
        labels: facts.item_labels(item).into_iter().flatten().cloned().collect(),
        history: store.transitions(&row.repo, item).await?,
        waiting: effects.map(Waiting::from).collect(),
        deliveries: deliveries::about(rows, item, DELIVERIES, store).await?,
    })
}

impl From<StoredEffect> for Waiting {
    fn from(stored: StoredEffect) -> Self {
        let StoredEffect { effect, state, attempts, created_at, not_before, note, .. } = stored;
        Self { effect: explain::effect(&effect), state, attempts, queued_at: created_at, not_before, note }
    }
}

fn write(account: &Account, out: &mut dyn Write) -> Result<(), Failure> {
    let Derived { item, phase, since, reason, next, wake_at, ours, .. } = &account.derived;
    let phase = phase.as_deref().unwrap_or("none");
    let since = since.map(|at| format!(", since {}", second(at))).unwrap_or_default();
    writeln!(out, "{}#{item}  phase: {}{since}", text::line(&account.repository), text::line(phase))?;
    let rule = if reason.rule.is_empty() { String::new() } else { format!("  [rule {}]", reason.rule) };
    entry(out, "why", &format!("{}{rule}", reason.sentence))?;
    entry(out, "labels", &if account.labels.is_empty() { "none".to_owned() } else { account.labels.join(", ") })?;
    if !ours {
        entry(out, "note", "phasebot leaves its labels alone")?;
    }
    if !account.active {
        entry(out, "note", "the App does not serve this repository now, so that nothing is written")?;
    }
    entry(out, "mode", &format!("{:?}", account.mode).to_lowercase())?;
    if account.dry_run {
        entry(out, "note", "`dry_run` is set: nothing is written to the forge")?;
    }
    if let Some(reason) = &account.paused {
        entry(out, "note", &format!("an operator paused all writing: {reason}"))?;
    }
    for next in next {
        entry(out, "next", next)?;
    }
    if let Some(at) = wake_at {
        entry(out, "again", &format!("phasebot looks again at {}", second(*at)))?;
    }
    section(
        out,
        "History",
        account.history.iter().map(|move_| {
            format!("{}  {}: {}", second(move_.at), move_.to.as_deref().unwrap_or("none"), move_.reason.sentence)
        }),
    )?;
    section(
        out,
        "Not sent yet",
        account.waiting.iter().map(|effect| {
            let state = match effect.state {
                EffectState::Dead => "given up".to_owned(),
                _ if effect.attempts == 0 => format!("queued since {}", second(effect.queued_at)),
                _ => format!("tried {} times, again at {}", effect.attempts, second(effect.not_before)),
            };
            let note = if effect.note.is_empty() { String::new() } else { format!(": {}", effect.note) };
            format!("{}  {state}{note}", effect.effect)
        }),
    )?;
    if !account.deliveries.is_empty() {
        writeln!(out, "\nDeliveries, newest first")?;
    }
    for row in &account.deliveries {
        writeln!(out, "{}", deliveries::line(row))?;
        if !row.note.is_empty() {
            writeln!(out, "{}", text::cut(&format!("          {}", text::line(&row.note)), text::WIDTH))?;
        }
    }
    Ok(())
}

fn section(out: &mut dyn Write, title: &str, lines: impl Iterator<Item = String>) -> Result<(), Failure> {
    let lines: Vec<String> = lines.collect();
    if !lines.is_empty() {
        writeln!(out, "\n{title}")?;
    }
    for line in lines {
        text::put_hanging(out, "  ", 6, &text::line(line.trim_end()))?;
    }
    Ok(())
}

fn entry(out: &mut dyn Write, name: &str, what: &str) -> Result<(), Failure> {
    Ok(text::put(out, &format!("  {name:<8}  "), &text::line(what))?)
}

fn second(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
