//! Imports point one way: no files of a crate import each other in a circle.
//!
//! A module and the files below it may, because a module is read with what it is made of.

use std::collections::{BTreeMap, BTreeSet};

use super::{SOURCES, files, source::Source};

/// Types that are split over files: where they are defined, and who adds methods to them.
const SPLIT: [&str; 2] = ["context", "domain::fact::repo"];

/// The files of a crate, by the path of their module.
struct Modules(BTreeMap<Vec<String>, Module>);

struct Module {
    /// Paths from the crate's root.
    uses: BTreeSet<Vec<String>>,
    /// What it re-exports, by name, with the path that it has.
    exports: BTreeMap<String, Vec<String>>,
}

impl Modules {
    /// Reads files, each with its path below the crate's folder.
    fn read<'a>(files: impl Iterator<Item = (&'a str, &'a str)>) -> Self {
        let parts = |path: &str| -> Vec<String> {
            let path = path.trim_start_matches('/').trim_end_matches(".rs");
            let path = path.strip_suffix("/mod").unwrap_or(path);
            path.split('/').filter(|part| !["lib", "main"].contains(part)).map(str::to_owned).collect()
        };
        let read = |(path, text): (&str, &str)| {
            let name = parts(path);
            let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
            let source = Source::read(path, code);
            let exported = source.exports();
            let (mut uses, mut exports) = (BTreeSet::new(), BTreeMap::new());
            for (line, path) in source.paths() {
                let Some(path) = from_root(&name, path) else { continue };
                match path.last() {
                    Some(last) if exported.contains(&line) => drop(exports.insert(last.clone(), path)),
                    _ => drop(uses.insert(path)),
                }
            }
            (name, Module { uses, exports })
        };
        Self(files.map(read).collect())
    }

    /// Returns the module in which a path is defined, through re-exports.
    fn home(&self, path: &[String], depth: usize) -> Option<&Vec<String>> {
        let (length, (name, module)) =
            (0..=path.len()).rev().find_map(|length| Some((length, self.0.get_key_value(&path[..length])?)))?;
        let export = path.get(length).and_then(|next| module.exports.get(next)).filter(|_| depth < 5);
        export.map_or(Some(name), |export| self.home(export, depth + 1))
    }

    fn imports(&self, name: &[String]) -> BTreeSet<&Vec<String>> {
        let is_apart = |other: &&Vec<String>| !other.starts_with(name) && !name.starts_with(other.as_slice());
        self.0[name].uses.iter().filter_map(|path| self.home(path, 0)).filter(is_apart).collect()
    }

    /// Returns the circles, without those that go through one of `split`.
    fn circles(&self, split: &[&str]) -> BTreeSet<Vec<String>> {
        let is_split = |name: &[String]| split.contains(&name.join("::").as_str());
        let imports: BTreeMap<&Vec<String>, BTreeSet<&Vec<String>>> =
            self.0.keys().filter(|name| !is_split(name)).map(|name| (name, self.imports(name))).collect();
        let reached: BTreeMap<_, _> = imports.keys().map(|name| (*name, reached(&imports, name))).collect();
        let circle = |name: &Vec<String>| -> Vec<String> {
            let both =
                reached[name].iter().filter(|other| reached.get(**other).is_some_and(|back| back.contains(name)));
            both.map(|other| other.join("::")).collect()
        };
        imports.keys().map(|name| circle(name)).filter(|circle| !circle.is_empty()).collect()
    }
}

/// Returns the modules that a module imports, through others, too.
fn reached<'m>(
    imports: &BTreeMap<&'m Vec<String>, BTreeSet<&'m Vec<String>>>,
    from: &'m Vec<String>,
) -> BTreeSet<&'m Vec<String>> {
    let (mut found, mut next) = (BTreeSet::new(), vec![from]);
    while let Some(one) = next.pop() {
        next.extend(imports.get(one).into_iter().flatten().copied().filter(|other| found.insert(*other)));
    }
    found
}

/// Returns a path from the crate's root; `None`: it leads elsewhere.
fn from_root(module: &[String], path: &[String]) -> Option<Vec<String>> {
    let ups = path.iter().take_while(|part| *part == "super").count();
    let (base, rest) = match path[0].as_str() {
        "crate" => (&[][..], &path[1..]),
        "self" => (module, &path[1..]),
        "super" => (&module[..module.len().checked_sub(ups)?], &path[ups..]),
        _ => return None,
    };
    Some(base.iter().chain(rest).cloned().collect())
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    for folder in SOURCES {
        let files = files(folder);
        let modules = Modules::read(files.iter().map(|(path, text)| (&path[folder.len()..], text.as_str())));
        assert!(modules.0.len() > 10, "{folder}");
        let circles = modules.circles(&SPLIT);
        assert!(circles.is_empty(), "{folder}: {circles:#?}");
    }
}

#[test]
fn a_circle_is_found_through_groups_and_exports() {
    let files = [
        ("/lib.rs", "pub mod a; pub mod b; pub mod c;"),
        ("/a.rs", "use crate::{b::Thing, std::fmt};"),
        ("/b/mod.rs", "mod inner; pub(crate) use crate::b::inner::Thing;"),
        ("/b/inner.rs", "fn f() { super::super::c::g() }"),
        ("/c.rs", "use crate::a;\n#[cfg(test)]\nmod tests { use crate::d; }"),
        ("/d.rs", "use crate::a;"),
    ];
    let circles = |split: &[&str]| Modules::read(files.into_iter()).circles(split);
    let found: Vec<Vec<String>> = circles(&[]).into_iter().collect();
    assert_eq!(found, [["a", "b::inner", "c"].map(str::to_owned).to_vec()]);
    assert!(circles(&["c"]).is_empty());
}
