//! `phasebot deliveries`: what arrived, what became of it, and putting it right.

use std::io::Write;

use clap::{Subcommand, builder::PossibleValuesParser};
use serde_json::{Value, json};

use super::{Context, Failure, Format, runtime, store, text};
use crate::port::store::{DeliveryFilter, DeliveryRow, DeliveryState, Seq, Store, StoredDelivery};

/// How much of a body `show` prints unless asked for all, in lines.
const SHOWN_LINES: usize = 200;

/// How much of each such line, in characters.
const SHOWN_WIDTH: usize = 500;

/// What arrived, and what became of it.
///
/// Works beside a running `serve`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  phasebot deliveries list --state dead\n  phasebot deliveries show 4711\n  phasebot deliveries replay 4711"
)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

/// What to do with deliveries.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// List deliveries, newest first.
    #[command(after_help = "Example:\n  phasebot deliveries list --state quarantined --event push --format json")]
    List {
        /// Only those that are in this state.
        #[arg(long, value_name = "STATE", value_parser = PossibleValuesParser::new(DeliveryState::ALL.map(|(_, name)| name)))]
        state: Option<String>,
        /// Only this event, such as pull_request.
        #[arg(long, value_name = "NAME")]
        event: Option<String>,
        /// Only this repository, by the forge's number for it.
        #[arg(long, value_name = "ID")]
        repository: Option<u64>,
        /// Only with this delivery id of the forge.
        #[arg(long, value_name = "ID")]
        delivery: Option<String>,
        /// At most so many.
        #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        limit: u32,
        /// How to write them.
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Show one delivery with its body.
    #[command(after_help = "Examples:\n  phasebot deliveries show 4711\n  phasebot deliveries show 4711 --format json")]
    Show {
        /// Its number, from the list.
        seq: Seq,
        /// Show the whole body, however long.
        #[arg(long)]
        full: bool,
        /// How to write it.
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Decide on deliveries again.
    #[command(
        after_help = "Example:\n  phasebot deliveries replay 4711 4712\n\nFacts that are known already stay as they are, and nothing is shown twice."
    )]
    Replay {
        /// Their numbers, from the list.
        #[arg(required = true)]
        seqs: Vec<Seq>,
    },
    /// End deliveries that wait, can't be understood or were given up.
    #[command(after_help = "Example:\n  phasebot deliveries drop 4711 --reason \"sent by a test hook\"")]
    Drop {
        /// Their numbers, from the list.
        #[arg(required = true)]
        seqs: Vec<Seq>,
        /// Why, for the record.
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
}

/// Runs the command on the store that the settings name.
pub(super) fn run(args: &Args, context: &Context, out: &mut dyn Write) -> Result<(), Failure> {
    let loaded = context.settings()?;
    context.start_logs(&loaded)?;
    runtime()?.block_on(async {
        let store = store::open(&loaded.settings).await?;
        perform(&args.verb, store.as_ref(), out).await
    })
}

/// Runs the command on `store`.
pub async fn perform(verb: &Verb, store: &dyn Store, out: &mut dyn Write) -> Result<(), Failure> {
    match verb {
        Verb::List { state, event, repository, delivery, limit, format } => {
            let filter = DeliveryFilter {
                state: state.as_deref().and_then(DeliveryState::from_name),
                event: event.clone(),
                repo: *repository,
                delivery: delivery.clone(),
                limit: usize::try_from(*limit).unwrap_or(usize::MAX),
            };
            let rows = store.deliveries(&filter).await?;
            match format {
                Format::Text => list(&rows, out),
                Format::Json => json_line(&json!(rows), out),
            }
        }
        Verb::Show { seq, full, format } => {
            let stored = store.delivery(*seq).await?.ok_or_else(|| none(*seq))?;
            match format {
                Format::Text => show(&stored, *full, out),
                Format::Json => show_json(&stored, out),
            }
        }
        Verb::Replay { seqs } => {
            each(seqs, out, "will be decided again", "there is no such delivery", async |seq| store.replay(seq).await)
                .await
        }
        Verb::Drop { seqs, reason } => {
            let absent = "there is no such delivery that is still open";
            each(seqs, out, "dropped", absent, async |seq| store.drop_delivery(seq, reason).await).await
        }
    }
}

/// Does one thing to each delivery; goes on after one that there is not, and fails then.
async fn each(
    seqs: &[Seq],
    out: &mut dyn Write,
    done: &str,
    absent: &str,
    act: impl AsyncFn(Seq) -> Result<bool, crate::port::store::StoreError>,
) -> Result<(), Failure> {
    let mut missed = Vec::new();
    for seq in seqs {
        if act(*seq).await? {
            writeln!(out, "{seq}: {done}")?;
        } else {
            missed.push(seq.to_string());
        }
    }
    if missed.is_empty() {
        Ok(())
    } else {
        Err(Failure::Message(format!(
            "{}: {absent}; `phasebot deliveries list` shows what there is",
            missed.join(", ")
        )))
    }
}

fn none(seq: Seq) -> Failure {
    Failure::Message(format!("{seq}: there is no such delivery; `phasebot deliveries list` shows what there is"))
}

fn list(rows: &[DeliveryRow], out: &mut dyn Write) -> Result<(), Failure> {
    if rows.is_empty() {
        writeln!(out, "no deliveries")?;
        return Ok(());
    }
    writeln!(out, "{:>8}  {:20}  {:11}  {:32}  {:>12}  NOTE", "NUMBER", "RECEIVED", "STATE", "EVENT", "REPOSITORY")?;
    for row in rows {
        let repository = row.repo.map_or_else(|| "-".to_owned(), |repo| repo.to_string());
        let line = format!(
            "{:>8}  {:20}  {:11}  {:32}  {repository:>12}  {}",
            row.seq,
            row.received_at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            row.state.as_str(),
            text::line(&event_name(row)),
            text::line(&row.note),
        );
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

fn show(stored: &StoredDelivery, full: bool, out: &mut dyn Write) -> Result<(), Failure> {
    let row = &stored.row;
    let or_none = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
    let facts = [
        ("number", row.seq.to_string()),
        ("state", row.state.as_str().to_owned()),
        ("note", row.note.clone()),
        ("event", event_name(row)),
        ("forge", row.forge.0.clone()),
        ("hook", row.hook.clone()),
        ("delivery", row.delivery.clone()),
        ("repository", or_none(row.repo.map(|id| id.to_string()))),
        ("installation", or_none(row.installation.map(|id| id.to_string()))),
        ("received", row.received_at.to_string()),
        ("decided", or_none(row.decided_at.map(|at| at.to_string()))),
        ("attempts", row.attempts.to_string()),
        ("body", format!("{} bytes", stored.body.len())),
    ];
    for (name, value) in facts {
        writeln!(out, "{name:12}  {}", text::line(if value.is_empty() { "-" } else { &value }))?;
    }
    writeln!(out)?;
    let body = pretty(&stored.body);
    if full {
        writeln!(out, "{body}")?;
        return Ok(());
    }
    let mut cut = false;
    for (index, line) in body.lines().enumerate() {
        if index == SHOWN_LINES {
            cut = true;
            break;
        }
        let shown: String = line.chars().take(SHOWN_WIDTH).collect();
        cut |= shown.len() < line.len();
        writeln!(out, "{shown}{}", if shown.len() < line.len() { "…" } else { "" })?;
    }
    if cut {
        writeln!(out, "… this is not all: --full shows the rest")?;
    }
    Ok(())
}

/// One object: what the list shows, and the body; as text if it is not JSON.
fn show_json(stored: &StoredDelivery, out: &mut dyn Write) -> Result<(), Failure> {
    let body: Value = serde_json::from_slice(&stored.body)
        .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&stored.body).into_owned()));
    json_line(&json!({ "delivery": stored.row, "body": body }), out)
}

fn json_line(value: &Value, out: &mut dyn Write) -> Result<(), Failure> {
    writeln!(out, "{value}")?;
    Ok(())
}

fn event_name(row: &DeliveryRow) -> String {
    match &row.action {
        Some(action) => format!("{}.{action}", row.event),
        None => row.event.clone(),
    }
}

fn pretty(body: &[u8]) -> String {
    let pretty = serde_json::from_slice::<Value>(body).and_then(|value| serde_json::to_string_pretty(&value));
    text::lines(&pretty.unwrap_or_else(|_| String::from_utf8_lossy(body).into_owned()))
}
