//! Versions that the repository's tags name, from the record of pushes and the forge's list of
//! tags.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use semver::Version as SemVer;

use crate::{
    context::EvalContext,
    domain::{
        event::RefName,
        id::Sha,
        needs::Need,
        version::{self, Version},
    },
};

/// Greatest age of the list of tags: pushes show what changed since.
pub(crate) const LIST_AGE: SignedDuration = SignedDuration::from_hours(2);

/// A version tag.
#[derive(Debug, Clone, Copy)]
pub(crate) struct VersionTag<'a> {
    pub(crate) semver: &'a SemVer,
    pub(crate) tag: &'a str,
    pub(crate) sha: &'a Sha,
}

impl<'a> EvalContext<'a> {
    /// Returns the forge's list of tags if it is fresh enough; otherwise asks for it.
    pub(crate) fn listed_tags(&self) -> Option<&'a BTreeMap<String, Sha>> {
        let since = self.now.checked_sub(LIST_AGE).ok()?;
        self.answered_since(&Need::Tags, since).and(self.facts.tags.listed.as_ref())
    }

    /// Returns the commit that a tag names: by its last push, otherwise by the list.
    fn tag_place(&self, tag: &str, listed: &'a BTreeMap<String, Sha>) -> Option<&'a Sha> {
        let pushed = self.facts.refs.get(&RefName::Tag(tag.to_owned())).and_then(|facts| facts.moves().last());
        match pushed {
            Some((_, place)) => place.as_ref(),
            None => listed.get(tag),
        }
    }

    /// Returns the tags that name a commit now, as far as pushes and the last listing show.
    pub(crate) fn tags_on(&self, sha: &Sha) -> Vec<&'a str> {
        let here = self.facts.index.tags_at.get(sha).into_iter().flatten();
        let listed = self.facts.tags.listed.as_ref();
        let pushed = |tag: &String| self.facts.refs.get(&RefName::Tag(tag.clone()))?.moves().last();
        let place = |tag: &String| match pushed(tag) {
            Some((_, place)) => place.as_ref(),
            None => listed?.get(tag),
        };
        here.filter(|tag| place(tag) == Some(sha)).map(String::as_str).collect()
    }

    /// Returns the tags of a version's package that are not lower than it, lowest first.
    pub(crate) fn tags_from(
        &self,
        version: &Version<'_>,
        listed: &'a BTreeMap<String, Sha>,
    ) -> impl Iterator<Item = VersionTag<'a>> {
        // Without build metadata, a version sorts before all that equal it.
        let least = SemVer { build: semver::BuildMetadata::EMPTY, ..version.semver.clone() };
        let known = self.facts.index.versions.get(version.name);
        let from = known.into_iter().flat_map(move |known| known.range((least.clone(), String::new())..));
        from.filter_map(|(semver, tag)| Some(VersionTag { semver, tag, sha: self.tag_place(tag, listed)? }))
    }

    /// Returns the highest version of a package among the tags at a commit.
    pub(crate) fn version_at(
        &self,
        sha: &Sha,
        package: &str,
        listed: &'a BTreeMap<String, Sha>,
    ) -> Option<(SemVer, &'a str)> {
        let here = self.facts.index.tags_at.get(sha)?.iter().filter(|tag| self.tag_place(tag, listed) == Some(sha));
        let versions = here.filter_map(|tag| Some((version::parse(tag)?, tag)));
        let versions = versions.filter(|(version, _)| version.name == package);
        let (highest, tag) = versions.max_by(|(a, _), (b, _)| a.semver.cmp_precedence(&b.semver))?;
        Some((highest.semver, tag))
    }
}
