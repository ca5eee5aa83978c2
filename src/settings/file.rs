//! Settings from a TOML file.

use std::{ops::Range, path::Path};

use toml::de::DeTable;

use crate::settings::{
    Draft,
    key::{self, Refused},
    problem::{Place, Problem},
    value::Given,
};

struct File<'a> {
    name: &'a Path,
    text: &'a str,
}

/// Reads a file's settings into `draft`.
pub(super) fn read(draft: &mut Draft, name: &Path, text: &str) {
    let file = File { name, text };
    match DeTable::parse(text) {
        Ok(table) => {
            file.table(draft, &[], table.get_ref());
            // The table is sorted by name, so sort the problems by position.
            draft.problems.sort_by_key(|problem| match problem.place {
                Place::Text { line, column, .. } => (line, column),
                _ => (0, 0),
            });
        }
        Err(error) => {
            let place = Place::in_text(name, text, error.span().unwrap_or(0..0), true);
            draft.problems.push(Problem::new(place, error.message().to_owned()));
        }
    }
}

impl File<'_> {
    fn table(&self, draft: &mut Draft, path: &[&str], table: &DeTable<'_>) {
        for (name, value) in table {
            let mut path = path.to_vec();
            path.push(name.get_ref());
            match value.get_ref().as_table() {
                Some(inner) if key::is_section(&path) => match key::open(draft, &path) {
                    Ok(()) => self.table(draft, &path, inner),
                    Err(refused) => self.problem(draft, &path, refused, name.span(), value.span()),
                },
                _ => {
                    if let Err(refused) = key::set(draft, &path, &Given::Toml(value.get_ref())) {
                        self.problem(draft, &path, refused, name.span(), value.span());
                    }
                }
            }
        }
    }

    fn problem(&self, draft: &mut Draft, path: &[&str], refused: Refused, name: Range<usize>, value: Range<usize>) {
        let problem = match refused {
            Refused::Unknown(_) if key::is_section(path) => {
                let place = Place::in_text(self.name, self.text, name, true);
                Problem::new(place, format!("expected a section, [{}]", path.join(".")))
            }
            Refused::Unknown(nearest) => {
                let place = Place::in_text(self.name, self.text, name, true);
                Problem::new(place, format!("unknown setting `{}`", path.join(".")))
                    .with_help(nearest.map(|nearest| format!("did you mean `{nearest}`?")))
            }
            Refused::Section(message) => Problem::new(Place::in_text(self.name, self.text, name, true), message),
            Refused::Value(message) => {
                let hidden = key::is_secret(path) != Some(false);
                let span = if hidden { name } else { value };
                let place = Place::in_text(self.name, self.text, span, hidden);
                Problem::new(place, format!("`{}`: {message}", path.join(".")))
            }
        };
        draft.problems.push(problem);
    }
}
