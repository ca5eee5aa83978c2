//! Decodes a YAML tree into the policy's types, and reports as many mistakes as can be told apart.
//!
//! serde's derived code names the keys and variants that it knows, so unknown ones are reported as
//! they are found. Any other mistake ends a pass: it is recorded, the value is left out, and the
//! tree is read again.

mod access;
mod glob;

use std::{cell::RefCell, collections::BTreeSet, fmt};

use serde::de::{self, DeserializeOwned, Deserializer, Visitor};

use crate::policy::{
    decode::access::{Choice, Entries, Items},
    problem::{Position, Problem, list, nearest, quote},
    yaml::{Entry, Kind, Node, Source},
};

/// Maximum number of mistakes reported for one file.
const MAX_PROBLEMS: usize = 1000;
/// Maximum number of passes over one file. Each pass ends at a mistake of a kind of which only one
/// shows at a time.
const MAX_PASSES: usize = 500;
/// The type of globs, as serde names it.
const GLOB: &str = "Glob";
/// Structs that may also be written as a single word. In the latter struct the word is a glob.
const WORD_OR_SETTINGS: [&str; 2] = ["WordOrSettings", "GlobOrSettings"];
/// Keys for monorepo targets. They are rejected with a message of their own.
const BY_PATH: [&str; 2] = ["paths", "targets"];

/// A value that was read from a tree, as far as that was possible.
pub(crate) struct Decoded<T> {
    /// The value, without the parts that have mistakes; `None`: nothing of it could be read.
    pub(crate) value: Option<T>,
    /// Values that are valid but probably not intended.
    pub(crate) warnings: Vec<Problem>,
    /// The mistakes, in the file's order.
    pub(crate) problems: Vec<Problem>,
    /// Ids of the nodes that were left out because of a mistake.
    pub(crate) left_out: BTreeSet<usize>,
    /// Positions of unknown keys.
    pub(crate) unknown_keys: BTreeSet<Position>,
}

/// Reads a value of type `T` from a tree.
pub(crate) fn decode<T: DeserializeOwned>(source: &Source, root: &Node) -> Decoded<T> {
    let mut problems: Vec<Problem> = Vec::new();
    let mut known = BTreeSet::new();
    let mut skip = BTreeSet::new();
    let mut unknown_keys = BTreeSet::new();
    let mut more = false;
    let (value, warnings) = loop {
        let context = Context { source, skip: &skip, found: RefCell::default(), warnings: RefCell::default() };
        let result = T::deserialize(Reader { node: root, context: &context });
        for (mark, problem) in context.found.into_inner() {
            unknown_keys.insert(mark);
            if known.insert((problem.line, problem.column, problem.message.clone())) {
                problems.push(problem);
            }
        }
        let warnings = context.warnings.into_inner();
        match result {
            Ok(value) => break (Some(value), warnings),
            Err(fault) => {
                let (id, mark) = fault.place.unwrap_or((root.id, root.mark));
                if !fault.follows {
                    problems.push(source.problem(mark, fault.message).meant(fault.meant));
                }
                if id == root.id || !skip.insert(id) {
                    break (None, warnings);
                }
                if skip.len() >= MAX_PASSES {
                    more = true;
                    break (None, warnings);
                }
            }
        }
    };
    problems.sort_by(|a, b| a.order().cmp(&b.order()));
    more |= problems.len() > MAX_PROBLEMS;
    problems.truncate(MAX_PROBLEMS);
    if more {
        problems.push(source.problem(root.mark, "there are more mistakes than are looked for at once"));
    }
    Decoded { value, warnings, problems, left_out: skip, unknown_keys }
}

/// A mistake that ends a pass.
#[derive(Debug)]
struct Fault {
    /// The node to leave out in the next pass, and the position to report.
    place: Option<(usize, Position)>,
    message: String,
    meant: Option<String>,
    /// True if a required key is missing.
    missing: bool,
    /// True if it only follows from a mistake already reported.
    follows: bool,
}

impl Fault {
    fn new(message: impl Into<String>) -> Self {
        Self { place: None, message: message.into(), meant: None, missing: false, follows: false }
    }

    /// Sets the position to `node`, unless a node within it already is the position.
    fn at(mut self, node: &Node) -> Self {
        self.place.get_or_insert((node.id, node.mark));
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Fault {}

impl de::Error for Fault {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(message.to_string())
    }

    fn missing_field(field: &'static str) -> Self {
        Self { missing: true, ..Self::new(format!("missing key `{field}`")) }
    }
}

struct Context<'a> {
    source: &'a Source,
    skip: &'a BTreeSet<usize>,
    /// Unknown keys.
    found: RefCell<Vec<(Position, Problem)>>,
    warnings: RefCell<Vec<Problem>>,
}

impl Context<'_> {
    fn unknown_key(&self, entry: &Entry, known: &[&str]) {
        let key = quote(&entry.key);
        let meant = nearest(&entry.key, known.iter().copied());
        let message = if BY_PATH.contains(&entry.key.as_str()) {
            format!("{key}: there are no targets by path within a repository")
        } else if meant.is_some() {
            format!("unknown key {key}")
        } else if known.is_empty() {
            format!("unknown key {key}; nothing can be set here")
        } else {
            format!("unknown key {key}; known here: {}", list(known.iter().copied()))
        };
        self.found.borrow_mut().push((entry.mark, self.source.problem(entry.mark, message).meant(meant)));
    }
}

/// Reads one node.
#[derive(Clone, Copy)]
struct Reader<'a> {
    node: &'a Node,
    context: &'a Context<'a>,
}

impl<'a> Reader<'a> {
    fn mismatch(self, what: &str) -> Fault {
        let found = match &self.node.kind {
            _ if self.node.is_null() => "nothing".to_owned(),
            Kind::Scalar { text, .. } => quote(text),
            Kind::List(_) => "a list".to_owned(),
            Kind::Map(_) => "a mapping".to_owned(),
        };
        Fault::new(format!("expected {what}, found {found}")).at(self.node)
    }

    /// Adds a warning if a glob probably means something else.
    fn warn_of_glob(self, text: &str) {
        if let Some(warning) = glob::doubt(text) {
            self.context.warnings.borrow_mut().push(self.context.source.problem(self.node.mark, warning));
        }
    }

    fn not_a_number(self) -> Fault {
        match &self.node.kind {
            Kind::Scalar { text, plain: true } if text.parse::<i128>().is_ok() => {
                Fault::new(format!("{} is out of range", quote(text))).at(self.node)
            }
            Kind::Scalar { .. } | Kind::List(_) | Kind::Map(_) => self.mismatch("a whole number"),
        }
    }

    fn text(self) -> Result<&'a str, Fault> {
        match &self.node.kind {
            Kind::Scalar { text, .. } if !self.node.is_null() => Ok(text),
            Kind::Scalar { .. } | Kind::List(_) | Kind::Map(_) => Err(self.mismatch("text")),
        }
    }

    fn map(self, entries: &'a [Entry], known: Option<&[&str]>) -> Entries<'a> {
        if let Some(known) = known {
            entries
                .iter()
                .filter(|e| !known.contains(&e.key.as_str()))
                .for_each(|e| self.context.unknown_key(e, known));
        }
        let is_known = |e: &&Entry| known.is_none_or(|known| known.contains(&e.key.as_str()));
        let left: Vec<&Entry> = entries.iter().filter(is_known).collect();
        let (skipped, kept): (Vec<_>, Vec<_>) = left.into_iter().partition(|e| self.context.skip.contains(&e.value.id));
        Entries { left: kept.into_iter(), value: None, holes: !skipped.is_empty(), context: self.context }
    }

    /// Reads the mapping of a struct, or of a variant that was written without a mapping.
    fn fields<V: Visitor<'a>>(self, entries: &'a [Entry], known: &[&str], visitor: V) -> Result<V::Value, Fault> {
        let map = self.map(entries, Some(known));
        let holes = map.holes;
        visitor.visit_map(map).map_err(|fault| {
            let follows = fault.missing && fault.place.is_none() && holes;
            Fault { follows: fault.follows || follows, ..fault.at(self.node) }
        })
    }
}

macro_rules! numbers {
    ($($method:ident $visit:ident $type:ty,)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
            let number = match &self.node.kind {
                Kind::Scalar { text, plain: true } => text.parse::<$type>().ok(),
                _ => None,
            };
            let number = number.ok_or_else(|| self.not_a_number())?;
            visitor.$visit(number).map_err(|fault: Fault| fault.at(self.node))
        }
    )*};
}

impl<'de> Deserializer<'de> for Reader<'de> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.node.kind {
            Kind::Scalar { .. } => self.deserialize_str(visitor),
            Kind::List(_) => self.deserialize_seq(visitor),
            Kind::Map(_) => self.deserialize_map(visitor),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.node.kind {
            Kind::Scalar { text, plain: true } if text == "true" => visitor.visit_bool(true),
            Kind::Scalar { text, plain: true } if text == "false" => visitor.visit_bool(false),
            Kind::Scalar { .. } | Kind::List(_) | Kind::Map(_) => Err(self.mismatch("`true` or `false`")),
        }
    }

    numbers! {
        deserialize_u8 visit_u8 u8,
        deserialize_u16 visit_u16 u16,
        deserialize_u32 visit_u32 u32,
        deserialize_u64 visit_u64 u64,
        deserialize_i8 visit_i8 i8,
        deserialize_i16 visit_i16 i16,
        deserialize_i32 visit_i32 i32,
        deserialize_i64 visit_i64 i64,
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_borrowed_str(self.text()?).map_err(|fault: Fault| fault.at(self.node))
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_str(visitor)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        if self.node.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, Fault> {
        if let (GLOB, Kind::Scalar { text, .. }) = (name, &self.node.kind) {
            self.warn_of_glob(text);
        }
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let Kind::List(items) = &self.node.kind else { return Err(self.mismatch("a list")) };
        visitor.visit_seq(Items { left: items.iter(), context: self.context })
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let Kind::Map(entries) = &self.node.kind else { return Err(self.mismatch("a mapping")) };
        visitor.visit_map(self.map(entries, None)).map_err(|fault| fault.at(self.node))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        if WORD_OR_SETTINGS.contains(&name)
            && let Kind::Scalar { text, .. } = &self.node.kind
            && !self.node.is_null()
        {
            if name == WORD_OR_SETTINGS[1] {
                self.warn_of_glob(text);
            }
            return self.deserialize_str(visitor);
        }
        let Kind::Map(entries) = &self.node.kind else { return Err(self.mismatch("a mapping")) };
        self.fields(entries, fields, visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let (name, mark, value) = match &self.node.kind {
            Kind::Scalar { text, .. } if !self.node.is_null() => (text, self.node.mark, None),
            Kind::Map(entries) => match entries.as_slice() {
                [entry] => (&entry.key, entry.mark, Some(&entry.value)),
                [] => return Err(self.mismatch("a word or a mapping with one key")),
                [first, ..] => {
                    let (count, first) = (entries.len(), quote(&first.key));
                    let advice = format!("indent what belongs to {first} under it, or start another list entry");
                    return Err(Fault::new(format!("expected one key, found {count}: {advice}")).at(self.node));
                }
            },
            Kind::Scalar { .. } | Kind::List(_) => {
                return Err(self.mismatch(&format!("one of {}", list(variants.iter().copied()))));
            }
        };
        if !variants.contains(&name.as_str()) {
            let meant = nearest(name, variants.iter().copied());
            let message = match meant {
                Some(_) => format!("unknown value {}", quote(name)),
                None => format!("unknown value {}; known here: {}", quote(name), list(variants.iter().copied())),
            };
            return Err(Fault { meant, place: Some((self.node.id, mark)), ..Fault::new(message) });
        }
        visitor.visit_enum(Choice { name, value, reader: self }).map_err(|fault| fault.at(self.node))
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_unit()
    }

    serde::forward_to_deserialize_any! { i128 u128 f32 f64 char bytes byte_buf unit unit_struct tuple tuple_struct }
}
