//! Web pages of a large database: how fast they are, how large, and what they cost the bot.

use std::{
    cell::Cell,
    collections::BTreeMap,
    fs,
    net::SocketAddr,
    path::PathBuf,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::SignedDuration;
use phasebot::{
    app::{clock::SystemClock, insight::is_filled},
    port::{clock::Clock, store::Store},
    store::{postgres::PostgresStore, sqlite::SqliteStore},
};
use reqwest::{Client, StatusCode, header};
use tokio_postgres::NoTls;

use super::{CONNECTIONS, INSTALLATIONS, Plan, REPOSITORIES, life::decided, permille, row};
use crate::{
    Result,
    copies::{Original, Rows},
    life::{Life, policy},
    load::{Issues, Pace, Sender, flood},
    server::Server,
    stub::Stub,
};

/// Number of the original's first change: large enough for those of every copy before it.
const FIRST: u64 = 7_000_000;
/// Changes of the original that are deployed, and that are under way.
const CHANGES: [u64; 2] = [10, 10];
/// Changes whose numbers a copy may have.
const SPAN: u64 = 20;
/// Requests for each page.
const EACH: usize = 60;
/// Deliveries a second beside the pages.
const BESIDE: f64 = 20.0;
/// Patience with the first fill.
const PATIENCE: Duration = Duration::from_mins(30);

/// The pages of a repository, and the list of all.
const PAGES: [(&str, &str); 9] = [
    ("loop", ""),
    ("environments", "/env"),
    ("gates", "/gates"),
    ("delivery", "/dora"),
    ("flow", "/flow"),
    ("retrospective", "/retro"),
    ("item", "/items/14000001"),
    ("repositories", "/"),
    ("about", "/about"),
];

/// Sizes of the databases.
#[derive(Clone, Copy)]
pub struct PageSizes {
    /// Items of the repository that stands alone.
    pub items: u64,
    /// Repositories with ten times as many items in all.
    pub repositories: u64,
}

/// A database that was filled with copies.
struct Filled {
    /// Its engine and size, for the table.
    what: String,
    url: String,
    store: Arc<dyn Store>,
    repositories: Vec<String>,
}

/// What is needed to fill databases, and to serve them.
struct Bench<'p> {
    plan: &'p Plan,
    stub: Stub,
    policy: PathBuf,
    original: Original,
    life: Life,
}

impl<'p> Bench<'p> {
    /// Lets phasebot decide on the changes that are copied.
    async fn new(plan: &'p Plan) -> Result<Self> {
        let stub = Stub::start().await?;
        let path = plan.database("pages-original")?;
        let (log, file) = (plan.folder.join("pages-original.log"), plan.folder.join("pages.yml"));
        fs::write(&file, policy(0))?;
        let server = Server::observed(&path, stub.address, &file, &log).await?;
        let mut sender = Sender::new(server.address);
        let mut life = Life::starting_at(FIRST, SystemClock.now() - SignedDuration::from_hours(2));
        let [deployed, under_way] = CHANGES;
        let mut sent = 0;
        for n in 0..deployed + under_way {
            let all = life.change();
            // Of those under way, each has come one step further than the one before.
            let steps = if n < deployed { all.len() } else { usize::try_from(n - deployed)? % all.len() + 1 };
            for delivery in &all[..steps] {
                let status = sender.deliver(delivery).await?;
                if status != 202 {
                    return Err(format!("a delivery of {} was answered with {status}", delivery.event).into());
                }
                sent += 1;
            }
        }
        decided(&server, sent).await?;
        tokio::time::sleep(super::SETTLE).await;
        drop(server);
        let original = Original::read(&SqliteStore::open(&path)?, FIRST, SPAN).await?;
        Ok(Self { plan, stub, policy: file, original, life })
    }

    /// Fills a new database; `server`: a PostgreSQL server's URL without a database.
    async fn fill(&self, server: Option<&str>, repositories: u64, items: u64, rows: Rows) -> Result<Filled> {
        let name = format!("pages_{}_{repositories}", std::process::id());
        let (engine, url, store): (_, String, Arc<dyn Store>) = match server {
            None => {
                let path = self.plan.database(&name)?;
                ("SQLite", format!("sqlite://{}", path.display()), Arc::new(SqliteStore::open(&path)?))
            }
            Some(server) => {
                let (client, connection) = tokio_postgres::connect(&format!("{server}/postgres"), NoTls).await?;
                let connection = tokio::spawn(connection);
                let new = format!("DROP DATABASE IF EXISTS {name}");
                client.batch_execute(&new).await?;
                client.batch_execute(&format!("CREATE DATABASE {name}")).await?;
                drop(client);
                connection.await??;
                let url = format!("{server}/{name}");
                ("PostgreSQL", url.clone(), Arc::new(PostgresStore::open(&url).await?))
            }
        };
        let copies = (items / repositories.max(1)).div_ceil(self.original.items()).max(1);
        let begun = Instant::now();
        let mut names = Vec::new();
        for index in 0..repositories {
            names.push(self.original.store(store.as_ref(), index, copies, rows).await?);
        }
        let stored = copies * self.original.items() * repositories;
        let what = format!("{engine}, {stored} items in {repositories}");
        eprintln!("{what}: made in {:.0} s", begun.elapsed().as_secs_f64());
        Ok(Filled { what, url, store, repositories: names })
    }

    async fn serve(&self, filled: &Filled) -> Result<(Server, SocketAddr)> {
        Server::with_pages(&filled.url, self.stub.address, &self.policy, &self.plan.folder.join("pages.log")).await
    }
}

/// The pages of a repository of so many items, and of ten times as many in many repositories, on SQLite
/// and, with a server's URL, on PostgreSQL.
pub async fn pages(plan: &Plan, sizes: PageSizes, postgres: Option<&str>) -> Result<()> {
    let mut bench = Bench::new(plan).await?;
    for server in std::iter::once(None).chain(postgres.map(Some)) {
        for (repositories, items) in [(1, sizes.items), (sizes.repositories.max(1), 10 * sizes.items)] {
            let filled = bench.fill(server, repositories, items, Rows::Stored).await?;
            measure(&mut bench, &filled).await?;
        }
    }
    Ok(())
}

/// How long the rows for delivery metrics of the same databases take to be derived.
pub async fn fill(plan: &Plan, sizes: PageSizes, postgres: Option<&str>) -> Result<()> {
    let bench = Bench::new(plan).await?;
    for server in std::iter::once(None).chain(postgres.map(Some)) {
        for (repositories, items) in [(1, sizes.items), (sizes.repositories.max(1), 10 * sizes.items)] {
            let filled = bench.fill(server, repositories, items, Rows::Left).await?;
            let begun = Instant::now();
            let (_server, _) = bench.serve(&filled).await?;
            let all = filled.store.all_repositories().await?;
            let mut left: Vec<_> = all.into_iter().map(|row| row.repo).collect();
            while let Some(repo) = left.last() {
                if is_filled(filled.store.as_ref(), repo).await? {
                    left.pop();
                } else if begun.elapsed() > PATIENCE {
                    return Err(format!("{}: {} repositories were not filled in time", filled.what, left.len()).into());
                } else {
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
            }
            let took = begun.elapsed().as_secs_f64();
            row(&format!("{}: first fill", filled.what), &format!("{took:.0} s"), "≤ 180 s", Some(took <= 180.0));
        }
    }
    Ok(())
}

/// What readers got.
#[derive(Default)]
struct Read {
    millis: Vec<f64>,
    bytes: usize,
}

async fn measure(bench: &mut Bench<'_>, filled: &Filled) -> Result<()> {
    let (server, pages) = bench.serve(filled).await?;
    tokio::time::sleep(super::SETTLE).await;
    let idle = server.memory()?.0;
    let what = &filled.what;
    // Before the pages: the first delivery loads the repository that the others are about.
    let over = Rc::new(Cell::new(false));
    let beside = deliveries(server.address, &mut bench.life, Rc::clone(&over));
    let read = async {
        let result = readers(pages, &filled.repositories, EACH).await;
        over.set(true);
        result
    };
    let (acks, read) = tokio::join!(beside, read);
    let (mut acks, read) = (acks?, read?);
    for (name, mut read) in read {
        read.millis.sort_by(f64::total_cmp);
        let slow = permille(&read.millis, 950);
        row(
            &format!("{what}: {name}, p50 / p95; sent"),
            &format!("{:.0} / {slow:.0} ms; {:.1} KB", permille(&read.millis, 500), kilobytes(read.bytes)),
            "p95 ≤ 100 ms, ≤ 60 KB",
            Some(slow <= 100.0 && read.bytes <= 60_000),
        );
    }
    acks.sort_by(f64::total_cmp);
    let slow = permille(&acks, 990);
    row(&format!("{what}: acknowledgements beside, p99"), &format!("{slow:.1} ms"), "≤ 5 ms", Some(slow <= 5.0));
    let (files, known) = assets_and_unchanged(pages, &filled.repositories[0]).await?;
    for (name, bytes) in files {
        let most = if name == "css" { 12_000 } else { 6_000 };
        let met = (name != "svg").then_some(bytes <= most);
        row(&format!("{what}: {name}, sent"), &format!("{:.1} KB", kilobytes(bytes)), "css ≤ 12, js ≤ 6 KB", met);
    }
    let slow = permille(&known, 950);
    row(&format!("{what}: the loop unchanged (304), p95"), &format!("{slow:.1} ms"), "≤ 5 ms", Some(slow <= 5.0));
    let begun = Instant::now();
    let address = format!("http://{pages}/api/v1/repos/{}/changes.csv?since=3660d", filled.repositories[0]);
    let lines = client()?.get(address).send().await?.text().await?.lines().count();
    row(
        &format!("{what}: CSV of {lines} lines"),
        &format!("{:.2} s", begun.elapsed().as_secs_f64()),
        "100,000 in ≤ 2 s",
        None,
    );
    let more = server.memory()?.0 - idle;
    row(&format!("{what}: memory, with the repository loaded"), &format!("+{more:.0} MiB"), "", None);
    // As many as it takes, without readers and with two.
    let issues = Rc::new(Issues::new(INSTALLATIONS, REPOSITORIES));
    let mut rates = [Vec::new(), Vec::new()];
    for _ in 0..bench.plan.rounds {
        for (place, readers_beside) in [false, true].into_iter().enumerate() {
            let over = Rc::new(Cell::new(false));
            let until = Rc::clone(&over);
            let load = async {
                let outcome = flood(server.address, CONNECTIONS, bench.plan.lasting, Pace::Full, &issues).await;
                over.set(true);
                outcome
            };
            let (outcome, read) = tokio::join!(load, read_until(pages, &filled.repositories, until, readers_beside));
            read?;
            rates[place].push(outcome.rate());
        }
    }
    let [alone, both] = rates.map(super::median);
    row(
        &format!("{what}: acknowledgements/s with two readers : without"),
        &format!("{both:.0} : {alone:.0} = {:.2}", both / alone),
        "≥ 0.95",
        Some(both / alone >= 0.95),
    );
    Ok(())
}

/// Sends what happens in the first repository, at a pace, until it is over; returns the times to each
/// acknowledgement in milliseconds.
async fn deliveries(address: SocketAddr, life: &mut Life, over: Rc<Cell<bool>>) -> Result<Vec<f64>> {
    let (mut sender, mut millis, begun, mut sent) = (Sender::new(address), Vec::new(), Instant::now(), 0_u32);
    while !over.get() {
        for delivery in life.change() {
            let due = begun + Duration::from_secs_f64(f64::from(sent) / BESIDE);
            tokio::time::sleep_until(due.into()).await;
            let at = Instant::now();
            let status = sender.deliver(&delivery).await?;
            if status != 202 {
                return Err(format!("a delivery beside the pages was answered with {status}").into());
            }
            millis.push(at.elapsed().as_secs_f64() * 1000.0);
            sent += 1;
            if over.get() {
                break;
            }
        }
    }
    Ok(millis)
}

fn client() -> Result<Client> {
    Ok(Client::builder().no_gzip().build()?)
}

/// Reads each page so many times, of one repository after the other.
async fn readers(pages: SocketAddr, repositories: &[String], each: usize) -> Result<BTreeMap<&'static str, Read>> {
    let client = client()?;
    let mut all: BTreeMap<&'static str, Read> = BTreeMap::new();
    for turn in 0..each {
        let repository = &repositories[turn * 7919 % repositories.len()];
        for (name, path) in PAGES {
            let begun = Instant::now();
            let bytes = get(&client, pages, repository, path, None).await?.1;
            let read = all.entry(name).or_default();
            read.millis.push(begun.elapsed().as_secs_f64() * 1000.0);
            read.bytes = read.bytes.max(bytes);
        }
    }
    Ok(all)
}

/// Lets two readers read pages until it is over.
async fn read_until(pages: SocketAddr, repositories: &[String], over: Rc<Cell<bool>>, reads: bool) -> Result<()> {
    let reader = async || -> Result<()> {
        while reads && !over.get() {
            readers(pages, repositories, 1).await?;
        }
        Ok(())
    };
    tokio::try_join!(reader(), reader()).map(drop)
}

/// Returns the sizes of the files of the pages, and the times of the loop's page in milliseconds when it
/// did not change.
async fn assets_and_unchanged(pages: SocketAddr, repository: &str) -> Result<(BTreeMap<String, usize>, Vec<f64>)> {
    let client = client()?;
    let page = client.get(format!("http://{pages}/about")).send().await?.text().await?;
    let mut files = BTreeMap::new();
    for path in page.split('"').filter(|part| part.starts_with("/assets/")) {
        let name = path.rsplit('.').next().unwrap_or_default().to_owned();
        files.insert(name, get(&client, pages, "", path, None).await?.1);
    }
    let (mut millis, mut tag) = (Vec::new(), None);
    for _ in 0..EACH {
        let begun = Instant::now();
        let (status, _, newest) = get(&client, pages, repository, "", tag.as_deref()).await?;
        // The minute may have changed meanwhile.
        if status == StatusCode::NOT_MODIFIED {
            millis.push(begun.elapsed().as_secs_f64() * 1000.0);
        }
        tag = newest.or(tag);
    }
    if millis.len() < EACH / 2 { Err("the page of the loop changes by itself".into()) } else { Ok((files, millis)) }
}

/// Returns the status of a page, its size as it was sent, and its tag.
async fn get(
    client: &Client,
    pages: SocketAddr,
    repository: &str,
    path: &str,
    known: Option<&str>,
) -> Result<(StatusCode, usize, Option<String>)> {
    let address = match path {
        "/" | "/about" => format!("http://{pages}{path}"),
        _ if repository.is_empty() => format!("http://{pages}{path}"),
        _ => format!("http://{pages}/{repository}{path}"),
    };
    let mut request = client.get(&address).header(header::ACCEPT_ENCODING, "gzip");
    if let Some(known) = known {
        request = request.header(header::IF_NONE_MATCH, known);
    }
    let answer = request.send().await?;
    let (status, tag) = (answer.status(), answer.headers().get(header::ETAG).cloned());
    if !status.is_success() && status != StatusCode::NOT_MODIFIED {
        return Err(format!("{address} was answered with {status}").into());
    }
    let bytes = answer.bytes().await?.len();
    Ok((status, bytes, tag.and_then(|tag| tag.to_str().ok().map(str::to_owned))))
}

#[expect(clippy::cast_precision_loss, reason = "sizes are small")]
fn kilobytes(bytes: usize) -> f64 {
    bytes as f64 / 1000.0
}
