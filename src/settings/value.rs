//! Parses the values of settings.
//!
//! Messages name what was expected. They never repeat the value, which may be a secret.

use std::{net::SocketAddr, path::PathBuf, str::FromStr};

use http::Uri;
use jiff::{SignedDuration, Span, SpanRelativeTo};
use secrecy::SecretString;
use toml::de::DeValue;

use crate::settings::DatabaseUrl;

/// A setting's value as written.
pub(super) enum Given<'a> {
    /// A value in the file.
    Toml(&'a DeValue<'a>),
    /// A value in a variable; lists are comma-separated.
    Variable(&'a str),
    /// Contents of a file that a `…_FILE` variable names; lists have one entry on each line.
    Contents(&'a str),
}

type Read<T> = Result<T, String>;

impl Given<'_> {
    pub(super) fn text(&self) -> Read<String> {
        match self {
            Self::Toml(value) => value.as_str().map(str::to_owned).ok_or_else(|| expected("a string", value)),
            Self::Variable(text) => Ok((*text).to_owned()),
            Self::Contents(text) => Ok(text.trim_end_matches(['\r', '\n']).to_owned()),
        }
    }

    pub(super) fn flag(&self) -> Read<bool> {
        match self {
            Self::Toml(value) => value.as_bool().ok_or_else(|| expected("true or false", value)),
            Self::Variable(text) | Self::Contents(text) => {
                text.trim().parse().map_err(|_| "expected true or false".to_owned())
            }
        }
    }

    /// Parses a whole number that is not negative.
    pub(super) fn number<T: TryFrom<u64>>(&self) -> Read<T> {
        let wanted = "expected a whole number that is not negative";
        let number = match self {
            Self::Toml(value) => {
                let integer = value.as_integer().ok_or_else(|| expected("a whole number", value))?;
                u64::from_str_radix(integer.as_str(), integer.radix()).map_err(|_| wanted.to_owned())?
            }
            Self::Variable(text) | Self::Contents(text) => text.trim().parse().map_err(|_| wanted.to_owned())?,
        };
        T::try_from(number).map_err(|_| "the number is too large".to_owned())
    }

    /// Like [`Self::number`], but at least 1.
    pub(super) fn count(&self) -> Read<usize> {
        let number = self.number()?;
        if number == 0 { Err("expected at least 1".to_owned()) } else { Ok(number) }
    }

    pub(super) fn list(&self) -> Read<Vec<String>> {
        match self {
            Self::Toml(value) => {
                let entries = value.as_array().ok_or_else(|| expected("a list of strings", value))?;
                entries
                    .iter()
                    .map(|entry| entry.get_ref().as_str().map(str::to_owned))
                    .map(|entry| entry.ok_or_else(|| "expected a list of strings".to_owned()))
                    .collect()
            }
            Self::Variable(text) => Ok(parts(text.split(','))),
            Self::Contents(text) => Ok(parts(text.lines())),
        }
    }

    pub(super) fn secret(&self) -> Read<SecretString> {
        let text = self.text()?;
        if text.trim().is_empty() { Err("is empty".to_owned()) } else { Ok(SecretString::from(text)) }
    }

    /// Parses a secret of at least 16 characters; `None` if it is empty.
    pub(super) fn optional_secret(&self) -> Read<Option<SecretString>> {
        let text = self.text()?;
        match text.trim().chars().count() {
            0 => Ok(None),
            1..16 => Err("expected at least 16 characters".to_owned()),
            _ => Ok(Some(SecretString::from(text.trim()))),
        }
    }

    /// Parses one or two secrets: two while one replaces the other.
    pub(super) fn secrets(&self) -> Read<Vec<SecretString>> {
        let list = self.list()?;
        if list.len() > 2 {
            return Err("expected one or two secrets".to_owned());
        }
        // An empty key would accept anything signed with an empty key.
        if list.iter().any(|secret| secret.trim().is_empty()) {
            return Err("a secret is empty".to_owned());
        }
        Ok(list.into_iter().map(SecretString::from).collect())
    }

    pub(super) fn path(&self) -> Read<Option<PathBuf>> {
        self.text().map(|text| (!text.is_empty()).then(|| PathBuf::from(text)))
    }

    pub(super) fn address(&self) -> Read<SocketAddr> {
        self.parsed("expected an IP address and port, such as 127.0.0.1:8080")
    }

    /// Like [`Self::address`]; `None` if it is empty.
    pub(super) fn optional_address(&self) -> Read<Option<SocketAddr>> {
        if self.text()?.trim().is_empty() { Ok(None) } else { self.address().map(Some) }
    }

    /// Parses an absolute web address; drops a slash at its end.
    pub(super) fn web_address(&self) -> Read<String> {
        let wanted = "expected an address that begins with https:// or http://";
        let text = self.text()?;
        let uri: Uri = text.parse().map_err(|_| wanted.to_owned())?;
        if !matches!(uri.scheme_str(), Some("https" | "http")) || uri.host().is_none_or(str::is_empty) {
            return Err(wanted.to_owned());
        }
        if uri.query().is_some() || uri.authority().is_some_and(|a| a.as_str().contains('@')) {
            return Err("the address may have neither a query nor a user name".to_owned());
        }
        Ok(text.trim_end_matches('/').to_owned())
    }

    /// Parses host names, without scheme and port; returns them in lower case.
    pub(super) fn host_names(&self) -> Read<Vec<String>> {
        let is_name = |name: &String| {
            let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
            !name.is_empty() && name.len() <= 253 && name.chars().all(plain)
        };
        let names = self.list()?;
        if !names.iter().all(is_name) {
            return Err("expected names of a host, such as metrics.internal, without port".to_owned());
        }
        Ok(names.into_iter().map(|name| name.trim_end_matches('.').to_ascii_lowercase()).collect())
    }

    /// Parses a duration of at least `least`, such as `30d` or `1h 30m`; a day has 24 hours.
    pub(super) fn duration(&self, least: SignedDuration) -> Read<SignedDuration> {
        let duration = duration(&self.text()?)?;
        if duration < least { Err(format!("expected at least {least:#}")) } else { Ok(duration) }
    }

    /// Like [`Self::duration`]; `None` if it is empty.
    pub(super) fn duration_or_none(&self, least: SignedDuration) -> Read<Option<SignedDuration>> {
        if self.text()?.trim().is_empty() { Ok(None) } else { self.duration(least).map(Some) }
    }

    /// Parses one of a fixed set of names.
    pub(super) fn one_of<T: Copy>(&self, all: &[(T, &str)]) -> Read<T> {
        let text = self.text()?;
        all.iter().find(|(_, name)| *name == text).map(|(value, _)| *value).ok_or_else(|| {
            let names: Vec<&str> = all.iter().map(|(_, name)| *name).collect();
            format!("expected one of {}", names.join(", "))
        })
    }

    /// Parses `sqlite://FILE` or `postgres://…`.
    pub(super) fn database(&self) -> Read<DatabaseUrl> {
        let text = self.text()?;
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return Ok(DatabaseUrl::Postgres(SecretString::from(text)));
        }
        let file = text
            .strip_prefix("sqlite://")
            .or_else(|| text.strip_prefix("sqlite:"))
            .ok_or_else(|| "expected sqlite://FILE or postgres://USER@HOST/DATABASE".to_owned())?;
        if file.is_empty() || file.contains('?') {
            return Err("expected a file after sqlite://, without options".to_owned());
        }
        Ok(DatabaseUrl::Sqlite(PathBuf::from(file)))
    }

    /// Parses a log filter: a level, or `target=level` pairs with commas between.
    pub(super) fn log_filter(&self) -> Read<String> {
        let text = self.text()?;
        log_filter(&text)?;
        Ok(text)
    }

    fn parsed<T: FromStr>(&self, wanted: &str) -> Read<T> {
        self.text()?.trim().parse().map_err(|_| wanted.to_owned())
    }
}

/// Checks a log filter: a level, or `target=level` pairs with commas between.
///
/// # Errors
/// Names the expected form.
pub fn log_filter(text: &str) -> Result<(), String> {
    const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
    for part in text.split(',') {
        let level = part.rsplit_once('=').map_or(part, |(_, level)| level).trim();
        if !LEVELS.contains(&level.to_ascii_lowercase().as_str()) {
            return Err(format!("expected one of {}, or target=level with commas between", LEVELS.join(", ")));
        }
    }
    Ok(())
}

/// Parses a duration, such as `30d` or `1h 30m`; a day has 24 hours.
///
/// # Errors
/// Names the expected form.
pub fn duration(text: &str) -> Result<SignedDuration, String> {
    let wanted = || "expected a length of time, such as 20s, 1h 30m or 30d".to_owned();
    let span: Span = text.trim().parse().map_err(|_| wanted())?;
    span.to_duration(SpanRelativeTo::days_are_24_hours())
        .map_err(|_| "expected a length of time in days, hours, minutes or seconds".to_owned())
}

fn expected(wanted: &str, found: &DeValue<'_>) -> String {
    format!("expected {wanted}, found a value of type {}", found.type_str())
}

fn parts<'a>(parts: impl Iterator<Item = &'a str>) -> Vec<String> {
    parts.map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
}
