//! `phasebot check`: validates policy files.

use std::{
    io,
    path::{Path, PathBuf},
    process::Command,
};

use clap::Args;

use crate::{
    cli::{Context, Failure, Format},
    policy::{self, MAX_BYTES, Part, Report, check_in_tree, check_report},
};

/// Check policy files.
///
/// Shows every mistake with its line and the nearest valid word, then what is valid but probably
/// not intended. Uses no network. Exits with 0 if every file is valid.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  phasebot check\n  phasebot check .github/phasebot.yml --format json\n  phasebot check --schema > phasebot.schema.json"
)]
pub struct CheckArgs {
    /// Policy files to check.
    #[arg(value_name = "FILE", default_value = policy::PATH, conflicts_with = "schema")]
    pub files: Vec<PathBuf>,
    /// Print the JSON Schema of policy files instead.
    #[arg(long)]
    pub schema: bool,
    /// Output format.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// Runs the command. Fails with [`Failure::Reported`] if a file is invalid.
pub(super) fn run(args: &CheckArgs, context: &Context, out: &mut dyn io::Write) -> Result<(), Failure> {
    match write(args, context.shows_colours(), out) {
        Ok(true) => Ok(()),
        Ok(false) => Err(Failure::Reported),
        Err(_) => Err(Failure::OutputClosed),
    }
}

/// Writes the result; returns whether every file is valid.
pub fn write(args: &CheckArgs, colours: bool, out: &mut dyn io::Write) -> io::Result<bool> {
    if args.schema {
        writeln!(out, "{:#}", policy::schema())?;
        return Ok(true);
    }
    let reports: Vec<Report> = args.files.iter().map(|file| check(file)).collect();
    match args.format {
        Format::Text if colours => {
            reports.iter().try_for_each(|report| write!(out, "{}", report.painted(&coloured)))?;
        }
        Format::Text => reports.iter().try_for_each(|report| write!(out, "{report}"))?,
        Format::Json => writeln!(out, "{:#}", serde_json::json!(reports))?,
    }
    Ok(reports.iter().all(|report| report.valid))
}

/// Adds the colour of a part.
fn coloured(part: Part, text: &str) -> String {
    let code = match part {
        Part::Place => "1",
        Part::Problem => "1;31",
        Part::Warning => "1;33",
        Part::Suggestion | Part::Valid => "32",
    };
    format!("\u{1b}[{code}m{text}\u{1b}[0m")
}

fn check(file: &Path) -> Report {
    let name = file.display().to_string();
    match read(file) {
        Ok(text) => match files_beside(file) {
            Some(files) => check_in_tree(&name, &text, &files),
            None => check_report(&name, &text),
        },
        Err(message) => Report::unreadable(&name, &message),
    }
}

/// Returns the files of the Git checkout whose policy file this is, by their paths from its root; `None`
/// if it is none, or Git does not list them.
fn files_beside(file: &Path) -> Option<Vec<String>> {
    let file = file.canonicalize().ok()?;
    let root = file.ancestors().nth(Path::new(policy::PATH).components().count())?;
    if root.join(policy::PATH) != file {
        return None;
    }
    let arguments = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
    let listed = Command::new("git").arg("-C").arg(root).args(arguments).output().ok()?;
    let names = listed.stdout.split(|byte| *byte == 0).filter(|name| !name.is_empty());
    let names = names.map(|name| String::from_utf8_lossy(name).into_owned());
    listed.status.success().then(|| names.collect())
}

/// Reads at most one byte more than a policy file may have.
fn read(file: &Path) -> Result<String, String> {
    use io::Read as _;
    let limit = u64::try_from(MAX_BYTES).unwrap_or(u64::MAX).saturating_add(1);
    let opened = std::fs::File::open(file).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => "no such file; without one the built-in policy is in force".to_owned(),
        _ => error.to_string(),
    })?;
    let mut bytes = Vec::new();
    opened.take(limit).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    if bytes.len() > MAX_BYTES {
        return Err(format!("larger than the {MAX_BYTES} bytes that a policy file may have"));
    }
    String::from_utf8(bytes).map_err(|error| {
        let byte = error.utf8_error().valid_up_to();
        format!("not UTF-8 text: byte {byte} is wrong")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_leave_the_text_as_it_is() {
        let report = check_report("p.yml", "mode: atc\nenvironments: { a: { after: [b] } }\n");
        let coloured = report.painted(&coloured);
        assert!(coloured.contains("\u{1b}[1;31m^^^\u{1b}[0m \u{1b}[32mdid you mean `act`?\u{1b}[0m"), "{coloured}");
        let mut plain = String::new();
        let mut hidden = false;
        for c in coloured.chars() {
            hidden |= c == '\u{1b}';
            if !hidden {
                plain.push(c);
            }
            hidden &= c != 'm';
        }
        assert_eq!(plain, report.to_string());
    }
}
