//! Determines the policy in force from the texts that were read.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, RwLock},
};

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use crate::{
    domain::{
        fact::policy::{FileSeen, InForce, PolicyFiles},
        id::{ConnectionId, ForgeName, RepoKey},
        policy::{FILE, Mode, Policy},
    },
    policy::{self, Layer, Parsed, Problem, Rank, Report},
};

/// Most compiled policies in memory.
const REMEMBERED: usize = 512;

/// Source of the policy in force in a repository.
pub trait PolicySource: Send + Sync + 'static {
    /// Returns the compiled policy. Called for every decision: must not block.
    fn policy(&self, repo: &RepoKey, files: &PolicyFiles) -> Arc<Policy>;

    /// Returns the source as [`FilePolicies`] if it reads files of repositories.
    fn files(&self) -> Option<&FilePolicies> {
        None
    }
}

/// One policy for every repository.
impl PolicySource for Arc<Policy> {
    fn policy(&self, _repo: &RepoKey, _files: &PolicyFiles) -> Arc<Policy> {
        self.clone()
    }
}

/// Key of an organisation's file: forge, installation that read it, and organisation.
type Whose = (ForgeName, ConnectionId, String);

/// Key of a compiled policy: the organisation with its file's hash, the own file's hash, caution.
type Ingredients = (Option<(String, String)>, Option<String>, bool);

/// Policies from the operator's file, the organisation's and the repository's own.
pub struct FilePolicies {
    base: RwLock<Arc<Base>>,
    compiled: Mutex<HashMap<Ingredients, Arc<Policy>>>,
    organisations: Mutex<HashMap<Whose, (Timestamp, Option<FileSeen>)>>,
}

/// Base beneath all files of repositories and organisations.
struct Base {
    operator: Option<Parsed>,
    /// Version of the program and the operator's text, against which texts are validated.
    ground: String,
    /// In force where no text could be read yet; writes no more than labels.
    cautious: Arc<Policy>,
}

impl Base {
    fn new(operator: Option<Parsed>) -> Result<Self, Vec<Problem>> {
        let layers: Vec<Layer> =
            operator.iter().map(|parsed| Layer { rank: Rank::Operator, parsed: parsed.clone() }).collect();
        let policy = policy::compile(&policy::merge(&layers))?;
        let ground = format!("{} {}", env!("CARGO_PKG_VERSION"), policy.version);
        Ok(Self {
            operator,
            ground: hex::encode(Sha256::digest(ground)),
            cautious: Arc::new(no_further_than_labels(policy)),
        })
    }
}

impl FilePolicies {
    /// Builds on the operator's policy, or on the built-in one alone.
    pub fn new(operator: Option<Parsed>) -> Result<Self, Vec<Problem>> {
        Ok(Self {
            base: RwLock::new(Arc::new(Base::new(operator)?)),
            compiled: Mutex::default(),
            organisations: Mutex::default(),
        })
    }

    /// Replaces the operator's policy in force; an invalid one changes nothing.
    pub fn renew(&self, operator: Option<Parsed>) -> Result<(), Vec<Problem>> {
        let base = Arc::new(Base::new(operator)?);
        // Locked across both, so that nothing compiled on the old base is kept.
        let mut compiled = self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        *self.base.write().unwrap_or_else(PoisonError::into_inner) = base;
        compiled.clear();
        Ok(())
    }

    fn base(&self) -> Arc<Base> {
        self.base.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns the base's version: texts are validated again when it changes.
    pub(super) fn ground(&self) -> String {
        self.base().ground.clone()
    }

    /// Returns the layers above a repository's own file.
    fn above(&self, owner: &str, organisation: Option<&FileSeen>) -> Option<Vec<Layer>> {
        let base = self.base();
        let operator = base.operator.iter().map(|parsed| Layer { rank: Rank::Operator, parsed: parsed.clone() });
        let mut layers: Vec<Layer> = operator.collect();
        if let Some(file) = organisation {
            let name = format!("{owner}/.github:{FILE}");
            let parsed = policy::parse(&name, file.text.as_ref().ok()?).ok()?;
            layers.push(Layer { rank: Rank::Organisation, parsed });
        }
        Some(layers)
    }

    /// Compiles the policy of these texts together, if they are valid.
    fn compile(&self, owner: &str, organisation: Option<&FileSeen>, own: Option<&FileSeen>) -> Option<Policy> {
        let mut layers = self.above(owner, organisation)?;
        if let Some(file) = own {
            let parsed = policy::parse(FILE, file.text.as_ref().ok()?).ok()?;
            layers.push(Layer { rank: Rank::Repository, parsed });
        }
        policy::compile(&policy::merge(&layers)).ok()
    }

    /// Determines the texts in force after something was read. An invalid text never
    /// replaces a valid one.
    pub(super) fn judge(&self, files: &mut PolicyFiles) {
        files.judged_by = self.ground();
        let owner = files.organisation.of.clone();
        let last = files.in_force.clone();
        let seen = files.organisation.seen.as_ref();
        let organisation = match seen {
            Some(_) if self.compile(&owner, seen, None).is_none() => last.as_ref().and_then(|l| l.organisation.clone()),
            _ => seen.cloned(),
        };
        let own = files.own.seen.clone();
        let verdict = own.as_ref().map(|file| self.check_beneath(&owner, organisation.as_ref(), file));
        let broken = verdict.and_then(|(report, policy)| policy.is_none().then(|| report.to_string()));
        let right = InForce { organisation: organisation.clone(), own, cautious: false };
        files.in_force = Some(match (&broken, last) {
            (None, _) => right,
            (Some(_), Some(last)) => {
                let together = self.compile(&owner, organisation.as_ref(), last.own.as_ref()).is_some();
                if together { InForce { organisation, ..last } } else { last }
            }
            (Some(_), None) => InForce { organisation, own: None, cautious: true },
        });
        files.broken = broken;
    }

    /// Validates a text as the repository's own file, beneath the layers in force above it.
    pub(super) fn check(&self, files: &PolicyFiles, file: &FileSeen) -> (Report, Option<Policy>) {
        let organisation = files.in_force.as_ref().and_then(|texts| texts.organisation.as_ref());
        self.check_beneath(&files.organisation.of, organisation, file)
    }

    fn check_beneath(&self, owner: &str, above: Option<&FileSeen>, file: &FileSeen) -> (Report, Option<Policy>) {
        match &file.text {
            Ok(text) => policy::check_over(FILE, text, &self.above(owner, above).unwrap_or_default()),
            Err(why) => (Report::unreadable(FILE, why), None),
        }
    }

    /// Returns the policy without a file of the repository's own.
    pub(super) fn without_own(&self, files: &PolicyFiles) -> Option<Policy> {
        let organisation = files.in_force.as_ref().and_then(|texts| texts.organisation.as_ref());
        self.compile(&files.organisation.of, organisation, None)
    }

    /// Returns an organisation's file as another of its repositories read it, and when.
    pub(super) fn shared(&self, whose: &Whose) -> Option<(Timestamp, Option<FileSeen>)> {
        self.organisations.lock().unwrap_or_else(PoisonError::into_inner).get(whose).cloned()
    }

    /// Stores an organisation's file for its other repositories.
    pub(super) fn share(&self, whose: Whose, at: Timestamp, file: Option<FileSeen>) {
        let mut all = self.organisations.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= REMEMBERED && !all.contains_key(&whose) {
            all.clear();
        }
        all.insert(whose, (at, file));
    }
}

impl PolicySource for FilePolicies {
    fn policy(&self, repo: &RepoKey, files: &PolicyFiles) -> Arc<Policy> {
        let Some(texts) = &files.in_force else { return self.base().cautious.clone() };
        let owner = &files.organisation.of;
        let organisation = texts.organisation.as_ref();
        let own = texts.own.as_ref();
        let ingredients: Ingredients = (
            organisation.map(|file| (owner.clone(), file.digest.clone())),
            own.map(|file| file.digest.clone()),
            texts.cautious,
        );
        let mut compiled = self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(policy) = compiled.get(&ingredients) {
            return policy.clone();
        }
        let Some(policy) = self.compile(owner, organisation, own) else {
            // Another version of the program found it valid, and this one has not validated it yet.
            tracing::warn!(%repo, "the policy in force can't be read by this version; the operator's holds meanwhile");
            return self.base().cautious.clone();
        };
        let policy = Arc::new(if texts.cautious { no_further_than_labels(policy) } else { policy });
        if compiled.len() >= REMEMBERED {
            compiled.clear();
        }
        compiled.insert(ingredients, policy.clone());
        policy
    }

    fn files(&self) -> Option<&FilePolicies> {
        Some(self)
    }
}

fn no_further_than_labels(policy: Policy) -> Policy {
    Policy { mode: policy.mode.min(Mode::Label), ..policy }
}
