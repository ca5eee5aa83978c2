//! Notices: which targets there are, who may use them, and the loop that sends.
//!
//! A policy names targets, and anybody who may change a repository's policy could name any. Only the
//! operator's settings say which repositories may use one: what a private repository says reaches no
//! target that does not list it.

mod attempt;
mod pace;
mod send;
mod step;

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use crate::{
    domain::{fact::RepoFacts, notice::NoticeRule},
    plan::PlannedNotice,
    port::notify::Notifier,
};

pub(crate) use crate::app::notice::send::run;

/// All targets `[notices.NAME]`, by name.
#[derive(Clone, Default)]
pub struct Notices(BTreeMap<String, Arc<NoticeTarget>>);

/// A target of notices.
pub struct NoticeTarget {
    /// Sends to it.
    pub notifier: Arc<dyn Notifier>,
    /// `owner/name` of the repositories that may use it; empty: every public repository.
    pub repositories: Vec<String>,
    /// True if the target said that it wants no more messages.
    gone: AtomicBool,
}

impl NoticeTarget {
    /// Creates a target.
    pub fn new(notifier: Arc<dyn Notifier>, repositories: Vec<String>) -> Self {
        Self { notifier, repositories, gone: AtomicBool::new(false) }
    }

    fn is_gone(&self) -> bool {
        self.gone.load(Ordering::SeqCst)
    }

    fn set_gone(&self) {
        self.gone.store(true, Ordering::SeqCst);
    }
}

impl Notices {
    /// Collects targets by name.
    pub fn new(targets: BTreeMap<String, NoticeTarget>) -> Self {
        Self(targets.into_iter().map(|(name, target)| (name, Arc::new(target))).collect())
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Arc<NoticeTarget>> {
        self.0.get(name)
    }

    /// Returns why a repository may not use a target. `private`: `None` if it is not known. The
    /// sentence names no other repository.
    pub(crate) fn refusal(&self, name: &str, repository: &str, private: Option<bool>) -> Option<String> {
        let Some(target) = self.get(name) else {
            return Some(format!("the operator's settings have no target [notices.{name}]"));
        };
        if target.repositories.is_empty() {
            let why = "takes notices of public repositories only; the operator can list this one in its `repositories`";
            return (private != Some(false)).then(|| format!("[notices.{name}] {why}"));
        }
        let is_listed = target.repositories.iter().any(|listed| listed.eq_ignore_ascii_case(repository));
        let why = "may not be used by this repository; the operator can list it in its `repositories`";
        (!is_listed).then(|| format!("[notices.{name}] {why}"))
    }

    /// Returns why a repository may not use a target, by its facts.
    pub(crate) fn refusal_of(&self, name: &str, facts: &RepoFacts) -> Option<String> {
        let known = facts.about.full_name.as_ref().map_or("", |name| name.value.as_str());
        self.refusal(name, known, facts.about.private.as_ref().map(|private| private.value))
    }

    /// Returns what keeps the rules of a policy from sending anything, a sentence for each target.
    pub(crate) fn findings(&self, rules: &[NoticeRule], facts: &RepoFacts) -> Vec<String> {
        let mut names: Vec<&str> = rules.iter().map(|rule| rule.to.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        let why = |name: &str| self.refusal_of(name, facts);
        names.into_iter().filter_map(|name| Some(format!("no notice is sent to `{name}`: {}", why(name)?))).collect()
    }

    /// Takes the notices out of a plan that the repository may not send; returns a sentence for each
    /// target.
    pub(crate) fn withhold(&self, notices: &mut Vec<PlannedNotice>, facts: &RepoFacts) -> Vec<String> {
        let mut said = BTreeMap::new();
        notices.retain(|planned| match self.refusal_of(&planned.target, facts) {
            None => true,
            // What would only change a message is nothing that anybody waits for.
            Some(why) => {
                if planned.notice.is_news {
                    said.insert(planned.target.clone(), format!("no notice to `{}`: {why}", planned.target));
                }
                false
            }
        });
        said.into_values().collect()
    }
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;

    use super::*;
    use crate::port::notify::{Abilities, AfterDoubt, Message, NotifyError};

    struct Nobody;

    #[async_trait]
    impl Notifier for Nobody {
        fn abilities(&self) -> Abilities {
            Abilities { edits: false, threads: false, after_doubt: AfterDoubt::GiveUp }
        }

        async fn post(&self, _: &Message<'_>) -> Result<String, NotifyError> {
            Ok(String::new())
        }

        async fn edit(&self, _: &str, _: &Message<'_>) -> Result<(), NotifyError> {
            Ok(())
        }

        async fn reply(&self, _: &str, _: &Message<'_>) -> Result<(), NotifyError> {
            Ok(())
        }

        async fn inspect(&self) -> Result<Option<String>, NotifyError> {
            Ok(None)
        }
    }

    #[test]
    fn only_the_settings_say_who_may_use_a_target() {
        let target =
            |list: &[&str]| NoticeTarget::new(Arc::new(Nobody), list.iter().map(|name| (*name).to_owned()).collect());
        let notices =
            Notices::new([("open".to_owned(), target(&[])), ("ops".to_owned(), target(&["acme/shop"]))].into());
        let may =
            |name: &str, repository: &str, private: Option<bool>| notices.refusal(name, repository, private).is_none();
        assert!(may("ops", "Acme/Shop", Some(true)) && may("ops", "acme/shop", None));
        assert!(!may("ops", "acme/other", Some(false)) && !may("nowhere", "acme/shop", Some(false)));
        // Not known to be public is not public.
        assert!(may("open", "acme/other", Some(false)));
        assert!(!may("open", "acme/other", Some(true)) && !may("open", "acme/other", None));
    }
}
