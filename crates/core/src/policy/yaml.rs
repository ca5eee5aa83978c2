//! Parses text to a tree whose nodes know their positions, within limits.
//!
//! serde-saphyr's own parser gives the events. Its serde front end stops at the first error; the
//! tree lets [`crate::policy::decode`] continue and report several at once. Scalars keep their
//! spelling: `009E73` stays a colour and `no` a word.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

use serde_saphyr::granit_parser::{self, Event, Parser, ScalarStyle, Span};

use crate::policy::problem::{Position, Problem, quote};

/// Maximum size of a policy file, in bytes.
pub const MAX_BYTES: usize = 256 * 1024;
/// Maximum number of values in a file. Values behind an alias are counted each time.
pub const MAX_NODES: usize = 4096;
/// Maximum nesting depth.
pub const MAX_DEPTH: usize = 24;

/// A file's name and text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Source {
    /// The name that problems show.
    pub(crate) name: String,
    /// The text.
    pub(crate) text: String,
}

impl Source {
    /// Creates a problem at a position of this file.
    pub(crate) fn problem(&self, mark: Position, message: impl Into<String>) -> Problem {
        Problem::new(&self.name, &self.text, mark, message)
    }
}

/// A value with its position.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    /// Unique within its tree.
    pub(crate) id: usize,
    /// Position of the value's start.
    pub(crate) mark: Position,
    /// Content of the value.
    pub(crate) kind: Kind,
}

/// Content of a value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Kind {
    /// Text, a number, `true`, or nothing.
    Scalar {
        /// The text as written, without quotes.
        text: String,
        /// True if written without quotes: `true` and `null` then mean more than their letters.
        plain: bool,
    },
    /// A list.
    List(Vec<Node>),
    /// A mapping, in the file's order.
    Map(Vec<Entry>),
}

/// A key of a mapping with its value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    /// The key.
    pub(crate) key: String,
    /// Position of the key.
    pub(crate) mark: Position,
    /// The value.
    pub(crate) value: Node,
}

/// One step down a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// To the value of this key.
    Key(String),
    /// To this element of a list.
    Index(usize),
}

impl From<&str> for Step {
    fn from(key: &str) -> Self {
        Self::Key(key.to_owned())
    }
}

impl From<usize> for Step {
    fn from(index: usize) -> Self {
        Self::Index(index)
    }
}

impl Node {
    /// Returns the value at `path`; if it is missing, its nearest ancestor.
    pub(crate) fn at(&self, path: &[Step]) -> &Self {
        let Some((step, rest)) = path.split_first() else { return self };
        let next = match (step, &self.kind) {
            (Step::Key(key), Kind::Map(entries)) => entries.iter().find(|e| e.key == *key).map(|e| &e.value),
            (Step::Index(index), Kind::List(items)) => items.get(*index),
            _ => None,
        };
        next.map_or(self, |node| node.at(rest))
    }

    /// Returns the position of the value at `path`; if it is missing, the position of its nearest
    /// ancestor.
    pub(crate) fn place(&self, path: &[Step]) -> Position {
        self.at(path).mark
    }

    /// Returns the entries, if it is a mapping.
    pub(crate) fn entries(&self) -> &[Entry] {
        match &self.kind {
            Kind::Map(entries) => entries,
            Kind::List(_) | Kind::Scalar { .. } => &[],
        }
    }

    /// Removes the values with these ids, and the keys at these positions. Returns the ids of the
    /// values that lost a part.
    pub(crate) fn prune(&mut self, ids: &BTreeSet<usize>, keys: &BTreeSet<Position>) -> BTreeSet<usize> {
        let before = self.children().count();
        match &mut self.kind {
            Kind::Scalar { .. } => {}
            Kind::List(items) => items.retain(|item| !ids.contains(&item.id)),
            Kind::Map(entries) => entries.retain(|e| !ids.contains(&e.value.id) && !keys.contains(&e.mark)),
        }
        let mut torn: BTreeSet<usize> = (self.children().count() < before).then_some(self.id).into_iter().collect();
        match &mut self.kind {
            Kind::Scalar { .. } => {}
            Kind::List(items) => items.iter_mut().for_each(|item| torn.append(&mut item.prune(ids, keys))),
            Kind::Map(entries) => entries.iter_mut().for_each(|e| torn.append(&mut e.value.prune(ids, keys))),
        }
        torn
    }

    /// Returns true if this value, or one within it, has one of these ids.
    pub(crate) fn has(&self, ids: &BTreeSet<usize>) -> bool {
        ids.contains(&self.id) || self.children().any(|child| child.has(ids))
    }

    fn children(&self) -> impl Iterator<Item = &Self> {
        let (items, entries) = match &self.kind {
            Kind::Scalar { .. } => (&[][..], &[][..]),
            Kind::List(items) => (items.as_slice(), &[][..]),
            Kind::Map(entries) => (&[][..], entries.as_slice()),
        };
        items.iter().chain(entries.iter().map(|entry| &entry.value))
    }

    /// Returns the position of the key `key` in the mapping at `path`.
    pub(crate) fn place_of_key(&self, path: &[Step], key: &str) -> Position {
        match (path.split_first(), &self.kind) {
            (None, Kind::Map(entries)) => entries.iter().find(|e| e.key == key).map_or(self.mark, |e| e.mark),
            (Some((Step::Key(next), rest)), Kind::Map(entries)) => {
                entries.iter().find(|e| e.key == *next).map_or(self.mark, |e| e.value.place_of_key(rest, key))
            }
            (Some((Step::Index(index), rest)), Kind::List(items)) => {
                items.get(*index).map_or(self.mark, |item| item.place_of_key(rest, key))
            }
            _ => self.mark,
        }
    }

    /// Returns true for an unquoted `null`, `~` or nothing.
    pub(crate) fn is_null(&self) -> bool {
        matches!(&self.kind, Kind::Scalar { text, plain: true } if matches!(text.as_str(), "" | "~" | "null"))
    }

    fn size(&self) -> usize {
        1 + match &self.kind {
            Kind::Scalar { .. } => 0,
            Kind::List(items) => items.iter().map(Self::size).sum(),
            Kind::Map(entries) => entries.iter().map(|e| e.value.size()).sum(),
        }
    }

    fn depth(&self) -> usize {
        1 + match &self.kind {
            Kind::Scalar { .. } => 0,
            Kind::List(items) => items.iter().map(Self::depth).max().unwrap_or(0),
            Kind::Map(entries) => entries.iter().map(|e| e.value.depth()).max().unwrap_or(0),
        }
    }

    fn renumber(&mut self, next: &mut usize) {
        self.id = *next;
        *next += 1;
        match &mut self.kind {
            Kind::Scalar { .. } => {}
            Kind::List(items) => items.iter_mut().for_each(|item| item.renumber(next)),
            Kind::Map(entries) => entries.iter_mut().for_each(|entry| entry.value.renumber(next)),
        }
    }
}

/// Reads the only document of a file; an empty file is an empty mapping. All duplicate keys are
/// reported; any other problem ends the reading.
pub(crate) fn read(source: &Source) -> Result<Node, Vec<Problem>> {
    if source.text.len() > MAX_BYTES {
        let message = format!("the file has {} bytes; at most {MAX_BYTES} are read", source.text.len());
        return Err(vec![Problem { snippet: None, ..source.problem(Position::START, message) }]);
    }
    let options = granit_parser::options! {
        flow_nesting_limit: MAX_DEPTH,
        block_nesting_limit: MAX_DEPTH,
        disallow_directives: true,
    };
    let mut builder =
        Builder { source, open: Vec::new(), anchors: BTreeMap::new(), next: 0, root: None, twice: Vec::new() };
    for event in Parser::new_from_str_with_options(&source.text, options) {
        let (event, span) = event.map_err(|error| {
            let marker = error.marker();
            vec![source.problem(mark(marker.line(), marker.col(), 1), error.kind().to_string())]
        })?;
        builder.take(event, span).map_err(|problem| vec![problem])?;
    }
    if !builder.twice.is_empty() {
        return Err(builder.twice);
    }
    let empty = Node { id: builder.next, mark: Position::START, kind: Kind::Map(Vec::new()) };
    Ok(builder.root.filter(|root| !root.is_null()).unwrap_or(empty))
}

fn mark(line: usize, column_from_0: usize, width: usize) -> Position {
    let narrow = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    Position { line: narrow(line.max(1)), column: narrow(column_from_0.saturating_add(1)), width: narrow(width.max(1)) }
}

fn mark_of(span: Span) -> Position {
    let one_line = span.start.line() == span.end.line();
    let width = if one_line { span.end.col().saturating_sub(span.start.col()) } else { 1 };
    mark(span.start.line(), span.start.col(), width)
}

/// A list or mapping that has not ended yet.
struct Open {
    anchor: usize,
    node: Node,
    /// The key that waits for its value.
    key: Option<(String, Position)>,
}

struct Builder<'a> {
    source: &'a Source,
    open: Vec<Open>,
    anchors: BTreeMap<usize, Node>,
    next: usize,
    root: Option<Node>,
    twice: Vec<Problem>,
}

impl Builder<'_> {
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), Problem> {
        let mark = mark_of(span);
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.refuse_tag(mark, tag.is_some())?;
                let kind = Kind::Scalar { text: Cow::into_owned(text), plain: style == ScalarStyle::Plain };
                let node = self.node(mark, kind)?;
                self.anchored(anchor, node)
            }
            Event::SequenceStart(_, anchor, tag) => self.begin(mark, anchor, tag.is_some(), Kind::List(Vec::new())),
            Event::MappingStart(_, anchor, tag) => self.begin(mark, anchor, tag.is_some(), Kind::Map(Vec::new())),
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(open) => self.anchored(open.anchor, open.node),
                None => Ok(()),
            },
            Event::Alias(anchor) => self.alias(mark, anchor),
            Event::DocumentStart(..) if self.root.is_some() => {
                Err(self.source.problem(mark, "a policy file has one document; a second one starts here"))
            }
            Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(..)
            | Event::DocumentEnd
            | Event::Anchor(..)
            | Event::UnresolvedAlias(_)
            | _ => Ok(()),
        }
    }

    fn begin(&mut self, mark: Position, anchor: usize, tagged: bool, kind: Kind) -> Result<(), Problem> {
        self.refuse_tag(mark, tagged)?;
        if self.open.len() >= MAX_DEPTH {
            return Err(self.source.problem(mark, format!("nested deeper than {MAX_DEPTH} levels")));
        }
        let node = self.node(Position { width: 1, ..mark }, kind)?;
        self.open.push(Open { anchor, node, key: None });
        Ok(())
    }

    fn refuse_tag(&self, mark: Position, tagged: bool) -> Result<(), Problem> {
        if tagged {
            return Err(self.source.problem(mark, "tags such as `!!str` have no meaning in a policy file"));
        }
        Ok(())
    }

    fn node(&mut self, mark: Position, kind: Kind) -> Result<Node, Problem> {
        self.spend(mark, 1)?;
        let id = self.next;
        self.next += 1;
        Ok(Node { id, mark, kind })
    }

    fn spend(&self, mark: Position, nodes: usize) -> Result<(), Problem> {
        if self.next.saturating_add(nodes) > MAX_NODES {
            return Err(self.source.problem(mark, format!("more than {MAX_NODES} values, aliases included")));
        }
        Ok(())
    }

    fn anchored(&mut self, anchor: usize, node: Node) -> Result<(), Problem> {
        if anchor != 0 {
            // The copy counts too, so that nested anchors can't multiply a file.
            let size = node.size();
            self.spend(node.mark, size)?;
            self.next += size;
            self.anchors.insert(anchor, node.clone());
        }
        self.place(node)
    }

    fn alias(&mut self, mark: Position, anchor: usize) -> Result<(), Problem> {
        let Some(node) = self.anchors.get(&anchor) else {
            return Err(self.source.problem(mark, "this alias stands inside the value that it names"));
        };
        self.spend(mark, node.size())?;
        if self.open.len() + node.depth() > MAX_DEPTH {
            return Err(self.source.problem(mark, format!("nested deeper than {MAX_DEPTH} levels")));
        }
        let mut copy = node.clone();
        copy.renumber(&mut self.next);
        self.place(copy)
    }

    fn place(&mut self, node: Node) -> Result<(), Problem> {
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        match (&mut open.node.kind, open.key.take()) {
            (Kind::List(items), _) => items.push(node),
            (Kind::Map(entries), Some((key, mark))) => {
                if let Some(first) = entries.iter().find(|e| e.key == key) {
                    let message = format!("key {} stands twice; first in line {}", quote(&key), first.mark.line);
                    self.twice.push(self.source.problem(mark, message));
                } else {
                    entries.push(Entry { key, mark, value: node });
                }
            }
            (Kind::Map(_), None) => match node.kind {
                Kind::Scalar { text, .. } => open.key = Some((text, node.mark)),
                Kind::List(_) | Kind::Map(_) => return Err(self.source.problem(node.mark, "a key must be a word")),
            },
            (Kind::Scalar { .. }, _) => {}
        }
        Ok(())
    }
}
