//! `phasebot deliveries`: lists, shows, replays and drops stored deliveries.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Write,
};

use clap::{Subcommand, builder::PossibleValuesParser};
use serde_json::{Value, json};

use crate::{
    cli::{
        Context, Failure, Format, runtime, store,
        target::{DeliveryRef, RepositoryRef},
        text,
    },
    domain::id::{ItemId, RepoKey},
    forge::github::decode::decode,
    port::store::{DeliveryFilter, DeliveryRow, DeliveryState, Seq, Store, StoredDelivery},
};

/// Number of the newest deliveries that are searched for those about one item.
pub(super) const LOOKED_AT: usize = 10_000;

/// Maximum number of lines of a body that `show` prints without `--full`.
const SHOWN_LINES: usize = 200;

/// Maximum length of each of these lines, in characters.
const SHOWN_WIDTH: usize = 500;

/// List, show, replay and drop deliveries.
///
/// A delivery is one webhook or alert as it arrived. Works while `serve` runs.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  phasebot deliveries list --state dead\n  phasebot deliveries show 4711\n  phasebot deliveries replay 4711"
)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

/// Actions on deliveries.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// List deliveries, newest first.
    #[command(
        after_help = "Examples:\n  phasebot deliveries list --state dead\n  phasebot deliveries list --repository acme/shop --item 12\n  phasebot deliveries list --event push --format json"
    )]
    List {
        /// Only deliveries in this state.
        #[arg(long, value_name = "STATE", value_parser = PossibleValuesParser::new(DeliveryState::ALL.map(|(_, name)| name)))]
        state: Option<String>,
        /// Only deliveries of this event, such as pull_request.
        #[arg(long, value_name = "NAME")]
        event: Option<String>,
        /// Only deliveries from this repository: OWNER/NAME, or the forge's id of it.
        #[arg(long, value_name = "OWNER/NAME")]
        repository: Option<RepositoryRef>,
        /// Only deliveries that are about this issue or pull request, or changed its phase.
        #[arg(long, value_name = "N", requires = "repository")]
        item: Option<ItemId>,
        /// Only deliveries with this delivery id of the forge.
        #[arg(long, value_name = "ID")]
        delivery: Option<String>,
        /// Maximum number of deliveries.
        #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        limit: u32,
        /// Output format.
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Show one delivery with its body.
    #[command(
        after_help = "Examples:\n  phasebot deliveries show 4711\n  phasebot deliveries show 72d3162e-cc78-11e3-81ab-4c9367dc0958\n  phasebot deliveries show 4711 --full --format json"
    )]
    Show {
        /// Number of the delivery, from the list, or the forge's delivery id.
        #[arg(value_name = "DELIVERY")]
        delivery: DeliveryRef,
        /// Show the whole body, whatever its length.
        #[arg(long)]
        full: bool,
        /// Output format.
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Process deliveries again.
    ///
    /// Facts that are known already stay as they are, and nothing is shown twice.
    #[command(after_help = "Examples:\n  phasebot deliveries replay 4711\n  phasebot deliveries replay 4711 4712")]
    Replay {
        /// Numbers of the deliveries, from the list, or the forge's delivery ids.
        #[arg(required = true, value_name = "DELIVERY")]
        deliveries: Vec<DeliveryRef>,
    },
    /// Drop deliveries that are pending, not decodable or dead.
    #[command(after_help = "Examples:\n  phasebot deliveries drop 4711 --reason \"sent by a test hook\"")]
    Drop {
        /// Numbers of the deliveries, from the list, or the forge's delivery ids.
        #[arg(required = true, value_name = "DELIVERY")]
        deliveries: Vec<DeliveryRef>,
        /// Reason, for the record.
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
        Verb::List { state, event, repository, item, delivery, limit, format } => {
            let repo = match repository {
                Some(repository) => Some(repository.find(store).await?),
                None => None,
            };
            let most = usize::try_from(*limit).unwrap_or(usize::MAX);
            let filter = DeliveryFilter {
                state: state.as_deref().and_then(DeliveryState::from_name),
                event: event.clone(),
                repo,
                delivery: delivery.clone(),
                limit: if item.is_some() { LOOKED_AT } else { most },
            };
            let mut rows = store.deliveries(&filter).await?;
            if let Some(item) = item {
                rows = about(rows, *item, most, store).await?;
            }
            match format {
                Format::Text => list(&rows, &names(&rows, store).await?, out),
                Format::Json => json_line(&json!(rows), out),
            }
        }
        Verb::Show { delivery, full, format } => {
            let seqs = delivery.find(store).await?;
            // If several webhooks sent the same id, the newest delivery.
            let seq = seqs.first().copied().ok_or_else(|| none(delivery))?;
            let stored = store.delivery(seq).await?.ok_or_else(|| none(delivery))?;
            match format {
                Format::Text => show(&stored, *full, out),
                Format::Json => show_json(&stored, out),
            }
        }
        Verb::Replay { deliveries } => {
            each(
                &found(deliveries, store).await?,
                out,
                "will be decided again",
                "there is no such delivery",
                async |seq| store.replay(seq).await,
            )
            .await
        }
        Verb::Drop { deliveries, reason } => {
            let seqs = &found(deliveries, store).await?;
            let absent = "there is no such delivery that is still open";
            each(seqs, out, "dropped", absent, async |seq| store.drop_delivery(seq, reason).await).await
        }
    }
}

/// Returns the numbers of deliveries; fails if an id matches no delivery.
async fn found(deliveries: &[DeliveryRef], store: &dyn Store) -> Result<Vec<Seq>, Failure> {
    let mut seqs = Vec::new();
    for delivery in deliveries {
        let of_one = delivery.find(store).await?;
        if of_one.is_empty() {
            return Err(none(delivery));
        }
        seqs.extend(of_one);
    }
    Ok(seqs)
}

/// Returns at most `most` deliveries that concern an item by their payload or by their note.
pub(super) async fn about(
    rows: Vec<DeliveryRow>,
    item: ItemId,
    most: usize,
    store: &dyn Store,
) -> Result<Vec<DeliveryRow>, Failure> {
    let mut kept = Vec::new();
    for row in rows {
        if kept.len() == most {
            break;
        }
        if names_item(&row.note, item) || payload_item(&row, store).await? == Some(item) {
            kept.push(row);
        }
    }
    Ok(kept)
}

/// Returns whether a note mentions an item, as `#12`.
fn names_item(note: &str, item: ItemId) -> bool {
    let name = format!("#{item}");
    let ends = note.match_indices(&name).map(|(at, name)| note[at + name.len()..].chars().next());
    ends.into_iter().any(|next| next.is_none_or(|next| !next.is_ascii_digit()))
}

/// Returns the item that a delivery's payload is about.
async fn payload_item(row: &DeliveryRow, store: &dyn Store) -> Result<Option<ItemId>, Failure> {
    let Some(stored) = store.delivery(row.seq).await? else { return Ok(None) };
    let event = decode(&row.forge, 0, &row.event, &stored.body, row.received_at);
    Ok(event.ok().and_then(|event| event.seen.item()))
}

/// Applies an action to each delivery. Continues after a missing one, and fails at the end.
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

fn none(delivery: &DeliveryRef) -> Failure {
    Failure::Message(format!("{delivery}: there is no such delivery; `phasebot deliveries list` shows what there is"))
}

/// Returns the names of the repositories that the deliveries are from; an unknown one has its id.
async fn names(rows: &[DeliveryRow], store: &dyn Store) -> Result<BTreeMap<RepoKey, String>, Failure> {
    let repos: BTreeSet<RepoKey> = rows.iter().filter_map(repository).collect();
    let mut names = BTreeMap::new();
    for repo in repos {
        let row = store.repository(&repo).await?;
        let name = row.map_or_else(|| repo.id.to_string(), |row| row.full_name);
        names.insert(repo, name);
    }
    Ok(names)
}

fn repository(row: &DeliveryRow) -> Option<RepoKey> {
    Some(RepoKey { forge: row.forge.clone(), id: row.repo? })
}

/// Writes the deliveries, each in a line, and under it its repository and the beginning of its note.
fn list(rows: &[DeliveryRow], names: &BTreeMap<RepoKey, String>, out: &mut dyn Write) -> Result<(), Failure> {
    if rows.is_empty() {
        writeln!(out, "no deliveries")?;
        return Ok(());
    }
    writeln!(out, "{:>8}  {:20}  {:11}  EVENT", "NUMBER", "RECEIVED", "STATE")?;
    for row in rows {
        writeln!(out, "{}", line(row))?;
        let name = repository(row).and_then(|repo| names.get(&repo)).map(String::as_str);
        let about: Vec<&str> = name.into_iter().chain([row.note.as_str()]).filter(|part| !part.is_empty()).collect();
        if !about.is_empty() {
            writeln!(out, "{}", text::cut(&format!("          {}", text::line(&about.join(" · "))), text::WIDTH))?;
        }
    }
    Ok(())
}

/// Returns a delivery's number, time, state and event, in columns.
pub(super) fn line(row: &DeliveryRow) -> String {
    let received = row.received_at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let line = format!("{:>8}  {received}  {:11}  {}", row.seq, row.state.as_str(), text::line(&event_name(row)));
    text::cut(&line, text::WIDTH)
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

/// Writes one JSON object: the list's fields and the body, which is a string if it is not JSON.
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
