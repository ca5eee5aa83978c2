//! Version tags: the package and the SemVer that a tag names.
//!
//! This is the only definition of a version tag. `v1.2.3` is a version of the repository itself;
//! `web-v0.7.1` (release-please), `pkg/v1.2.3` (Go), `@scope/pkg@1.2.3` (changesets, Lerna) and
//! `shop-1.2.3` are versions of one of its packages.

use semver::Version as SemVer;

/// Separators between a package's name and its version.
const SEPARATORS: [char; 4] = ['-', '/', '@', '_'];

/// Names that mark a stage before a release, not a package: `nightly-2026.3.1`.
const CHANNELS: [&str; 6] = ["alpha", "beta", "rc", "nightly", "canary", "snapshot"];

/// The version that a tag names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version<'a> {
    /// The package, such as `web` or `@scope/pkg`; empty for the repository itself. Only versions
    /// of one package can be compared.
    pub name: &'a str,
    /// The version, without the `v`.
    pub semver: SemVer,
}

impl Version<'_> {
    /// Returns true for a final release: neither the version nor the name marks a pre-release.
    pub fn is_final(&self) -> bool {
        let last = self.name.rsplit(SEPARATORS).next().unwrap_or_default();
        self.semver.pre.is_empty() && !CHANNELS.iter().any(|channel| last.eq_ignore_ascii_case(channel))
    }
}

/// Parses a tag as `[NAME SEPARATOR][v]SEMVER`; `None` if it names no version.
///
/// The version begins as early as it can: `web-1.0.0-2.0.0` is a pre-release of `web` 1.0.0.
pub fn parse(tag: &str) -> Option<Version<'_>> {
    if let Some(semver) = semver(tag) {
        return Some(Version { name: "", semver });
    }
    named(tag).find_map(|(name, rest)| Some(Version { name, semver: semver(rest)? }))
}

/// Returns true if a tag names a final version.
pub fn is_final(tag: &str) -> bool {
    parse(tag).is_some_and(|version| version.is_final())
}

/// Returns true if a tag names a pre-release version.
pub fn is_prerelease(tag: &str) -> bool {
    parse(tag).is_some_and(|version| !version.is_final())
}

/// Returns true if a tag moves with every release: `v1`, `1.2`, `latest`, `web-v1`, `pkg@1`,
/// `web-latest`.
///
/// After a name, a number without `v` does not move, except after `@`: `build-42` and `2024-1` stay
/// where they are.
pub fn is_floating(tag: &str) -> bool {
    if parse(tag).is_some() {
        return false;
    }
    is_partial(tag)
        || named(tag).any(|(name, rest)| {
            let marked = rest.starts_with(['v', 'V']) || tag[name.len()..].starts_with('@');
            rest.eq_ignore_ascii_case("latest") || (marked && is_partial(rest))
        })
}

/// Returns every way to read `tag` as a name, a separator and the rest, longest rest first.
fn named(tag: &str) -> impl Iterator<Item = (&str, &str)> {
    tag.match_indices(SEPARATORS).filter_map(|(at, separator)| {
        let name = &tag[..at];
        (!name.is_empty()).then_some((name, &tag[at + separator.len()..]))
    })
}

fn semver(text: &str) -> Option<SemVer> {
    let number = unprefixed(text);
    // Most of the possible parts of a tag are rejected here, at no cost.
    number.starts_with(|c: char| c.is_ascii_digit()).then(|| SemVer::parse(number).ok())?
}

/// Returns true if `text` is `latest`, or a version without its last numbers.
fn is_partial(text: &str) -> bool {
    let number = unprefixed(text);
    text.eq_ignore_ascii_case("latest")
        || (number.split('.').count() < 3
            && number.split('.').all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit())))
}

fn unprefixed(text: &str) -> &str {
    text.strip_prefix(['v', 'V']).unwrap_or(text)
}
