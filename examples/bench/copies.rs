//! Copies of what phasebot stored of one repository: the same rows under other numbers, commits and
//! times, so that a database of a million items is made in minutes and has the program's own rows.

use std::{collections::BTreeMap, fmt::Write as _, ops::Range};

use jiff::{SignedDuration, Timestamp};
use phasebot::{
    app::{clock::SystemClock, insight},
    domain::{
        derived::Transition,
        id::{ForgeName, ItemId, RepoKey},
        insight::{InsightRow, OPEN, RowGroup, RowKind},
    },
    port::{
        clock::Clock as _,
        store::{Commit, Document, InsightPage, RepositoryRow, Store, StoredItem},
    },
};

use crate::Result;

/// Every kind of rows.
const KINDS: [RowKind; 9] = [
    RowKind::Terms,
    RowKind::Unit,
    RowKind::Change,
    RowKind::Deployment,
    RowKind::GateWait,
    RowKind::Incident,
    RowKind::Override,
    RowKind::Environment,
    RowKind::LiveGate,
];
/// Time over which the copies are spread.
const SPAN: SignedDuration = SignedDuration::from_hours(3 * 365 * 24);
/// Copies in one commit.
const AT_ONCE: u64 = 20;

/// The rows for delivery metrics of the copies.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Rows {
    /// They are stored with the rest.
    Stored,
    /// They are left to the first fill.
    Left,
}

/// Numbers that a copy moves, and by how much for each copy.
struct Family {
    numbers: Range<u64>,
    stride: u64,
}

/// A text of the original, cut at whatever a copy changes.
struct Text(Vec<Piece>);

enum Piece {
    Plain(String),
    /// A number of the changes, with the stride of its family.
    Number(u64, u64),
    /// A commit.
    Commit(String),
    /// A time.
    Time(Timestamp),
    /// A time in milliseconds, as twenty digits.
    Millis(i64),
}

/// One copy among the others: 0 is the original.
#[derive(Clone, Copy)]
struct Copy {
    number: u64,
    /// How long before the original it was.
    before: SignedDuration,
}

impl Copy {
    fn at(self, at: Timestamp) -> Timestamp {
        if at == OPEN { at } else { at.checked_sub(self.before).unwrap_or(at) }
    }
}

impl Text {
    fn of(text: &str, families: &[Family]) -> Self {
        let (mut pieces, mut plain, mut rest) = (Vec::new(), String::new(), text);
        while let Some(first) = rest.chars().next() {
            let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || "-:.".contains(c))).unwrap_or(rest.len());
            let found = if first.is_ascii_digit() { Piece::time(&rest[..end]) } else { None };
            let (piece, length) = if let Some(time) = found {
                (Some(time), end)
            } else {
                let word = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
                (Piece::word(&rest[..word], families), word.max(first.len_utf8()))
            };
            if let Some(piece) = piece {
                pieces.push(Piece::Plain(std::mem::take(&mut plain)));
                pieces.push(piece);
            } else {
                plain.push_str(&rest[..length]);
            }
            rest = &rest[length..];
        }
        pieces.push(Piece::Plain(plain));
        Self(pieces)
    }

    fn is_own(&self) -> bool {
        self.0.iter().any(|piece| matches!(piece, Piece::Number(..) | Piece::Commit(_)))
    }

    fn copy(&self, copy: Copy) -> String {
        let mut text = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Plain(plain) => text.push_str(plain),
                Piece::Number(number, stride) => text.push_str(&(number - stride * copy.number).to_string()),
                Piece::Commit(sha) if copy.number == 0 => text.push_str(sha),
                Piece::Commit(sha) => {
                    let _ = write!(text, "{:08x}", copy.number);
                    text.push_str(&sha[8..]);
                }
                Piece::Time(at) => text.push_str(&copy.at(*at).to_string()),
                Piece::Millis(at) => {
                    let at = Timestamp::from_millisecond(*at).map_or(*at, |at| copy.at(at).as_millisecond());
                    let _ = write!(text, "{at:020}");
                }
            }
        }
        text
    }
}

impl Piece {
    fn time(text: &str) -> Option<Self> {
        if text.len() < 20 || !text.contains('T') { None } else { text.parse().ok().map(Self::Time) }
    }

    fn word(word: &str, families: &[Family]) -> Option<Self> {
        let is_hex = word.len() == 40 && word.bytes().all(|b| b.is_ascii_hexdigit());
        if is_hex && word.bytes().any(|b| b != b'0') {
            return Some(Self::Commit(word.to_owned()));
        }
        if word.len() == 20 && word.starts_with("0000") {
            return word.parse().ok().map(Self::Millis);
        }
        let number: u64 = word.parse().ok()?;
        let family = families.iter().find(|family| family.numbers.contains(&number))?;
        Some(Self::Number(number, family.stride))
    }
}

/// Part, time and body of a row.
type Row = (Text, Timestamp, Text);

/// What phasebot stored of a repository in which some changes came to pass.
pub struct Original {
    repository: RepositoryRow,
    policy: String,
    shared: Vec<Document>,
    documents: Vec<(Text, Text)>,
    items: Vec<(ItemId, u64, StoredItem, Text, Vec<Transition>)>,
    shared_rows: Vec<(RowKind, InsightRow)>,
    /// By owner: part, time and body of each.
    rows: Vec<(RowKind, Text, Vec<Row>)>,
}

impl Original {
    /// Reads it. Its changes have the numbers from `first` to before `first + span`, as
    /// [`crate::life::Life`] counts.
    pub async fn read(store: &dyn Store, first: u64, span: u64) -> Result<Self> {
        let families = [
            // The issue and the pull request of change n are 2n + 1 and 2n + 2.
            Family { numbers: 2 * first + 1..2 * (first + span) + 1, stride: 2 * span },
            Family { numbers: 10 * first..10 * (first + span), stride: 10 * span },
            Family { numbers: first..first + span, stride: span },
            Family { numbers: first / 10..(first + span) / 10 + 1, stride: span / 10 },
        ];
        let all = store.all_repositories().await?;
        let repository = all.into_iter().next().ok_or("the original stored no repository")?;
        let repo = repository.repo.clone();
        let (mut shared, mut documents) = (Vec::new(), Vec::new());
        for document in store.facts(&repo).await? {
            let key = Text::of(&document.key, &families);
            if key.is_own() {
                let body = Text::of(document.body.as_deref().unwrap_or_default(), &families);
                documents.push((key, body));
            } else {
                shared.push(document);
            }
        }
        let mut items = Vec::new();
        for stored in store.items(&repo).await? {
            let history = store.transitions(&repo, stored.item).await?;
            let derived = Text::of(&stored.derived, &families);
            items.push((stored.item, 2 * span, stored, derived, history));
        }
        let (mut shared_rows, mut rows) = (Vec::new(), Vec::new());
        for kind in KINDS {
            let page = InsightPage { kind, since: Timestamp::MIN, after: None, limit: 100_000 };
            let mut owners: BTreeMap<String, Vec<InsightRow>> = BTreeMap::new();
            for row in store.insight(&repo, &page).await? {
                owners.entry(row.owner.clone()).or_default().push(row);
            }
            for (owner, own) in owners {
                let owner = Text::of(&owner, &families);
                if owner.is_own() {
                    let text = |text: &str| Text::of(text, &families);
                    let own = own.iter().map(|row| (text(&row.part), row.at, text(&row.body)));
                    rows.push((kind, owner, own.collect()));
                } else {
                    shared_rows.extend(own.into_iter().map(|row| (kind, row)));
                }
            }
        }
        let terms = shared_rows.iter().find(|(kind, _)| *kind == RowKind::Terms);
        let terms = terms.ok_or("the original has no terms")?.1.body.clone();
        let terms: serde_json::Value = serde_json::from_str(&terms)?;
        let policy = terms["policy"].as_str().unwrap_or_default().to_owned();
        Ok(Self { repository, policy, shared, documents, items, shared_rows, rows })
    }

    /// Returns the number of its items.
    pub fn items(&self) -> u64 {
        self.items.len() as u64
    }

    /// Stores `copies` of it as repository `index`, spread over [`SPAN`]; returns the full name.
    pub async fn store(&self, store: &dyn Store, index: u64, copies: u64, rows: Rows) -> Result<String> {
        let full_name = if index == 0 { self.repository.full_name.clone() } else { format!("ann/shop-{index}") };
        let id = self.repository.repo.id + index;
        let repo = RepoKey { forge: ForgeName::github(), id };
        let named = RepositoryRow { repo: repo.clone(), full_name: full_name.clone(), ..self.repository.clone() };
        let now = SystemClock.now();
        let group =
            |kind, row: InsightRow| RowGroup { kind, owner: row.owner.clone(), from: String::new(), rows: vec![row] };
        let first = Commit {
            repo: Some(repo.clone()),
            now: Some(now),
            repositories: vec![named],
            facts: self.shared.clone(),
            insight: self.shared_rows.iter().map(|(kind, row)| group(*kind, row.clone())).collect(),
            ..Commit::default()
        };
        let first = if rows == Rows::Left { Commit { insight: Vec::new(), ..first } } else { first };
        store.commit(first).await?;
        let each = SPAN / i32::try_from(copies.max(1)).unwrap_or(i32::MAX);
        let mut number = 0;
        while number < copies {
            let mut commit = Commit { repo: Some(repo.clone()), now: Some(now), ..Commit::default() };
            for number in number..copies.min(number + AT_ONCE) {
                let before = each * i32::try_from(number).unwrap_or(i32::MAX);
                self.add(Copy { number, before }, &mut commit);
            }
            if rows == Rows::Left {
                commit.insight.clear();
            }
            store.commit(commit).await?;
            number += AT_ONCE;
        }
        if rows == Rows::Stored {
            insight::note_filled(store, &repo, &self.policy).await?;
        }
        Ok(full_name)
    }

    fn add(&self, copy: Copy, commit: &mut Commit) {
        let facts = self.documents.iter();
        commit.facts.extend(facts.map(|(key, body)| Document { key: key.copy(copy), body: Some(body.copy(copy)) }));
        for (number, stride, stored, derived, history) in &self.items {
            let item = number - stride * copy.number;
            let since = stored.since.map(|at| copy.at(at));
            let (phase, derived) = (stored.phase.clone(), derived.copy(copy));
            commit.items.push(StoredItem { item, phase, since, derived });
            let moved = |step: &Transition| Transition { at: copy.at(step.at), ..step.clone() };
            commit.histories.push((item, history.iter().map(moved).collect()));
        }
        for (kind, owner, rows) in &self.rows {
            let owner = owner.copy(copy);
            let rows = rows.iter().map(|(part, at, body)| InsightRow {
                owner: owner.clone(),
                part: part.copy(copy),
                at: copy.at(*at),
                body: body.copy(copy),
            });
            let rows = rows.collect();
            commit.insight.push(RowGroup { kind: *kind, owner, from: String::new(), rows });
        }
    }
}
