//! Merges several policy files into one. `reference/intro.md` explains the rule to users.

mod environment;

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

use crate::{
    domain::rule::name_key,
    policy::{
        Parsed, PolicyFile, Problem, built_in,
        file::{
            ChecksFile, IgnoreFile, OverrideFile, alerts::AlertsFile, command::CommandsFile, condition::Condition,
            gate::GateFile, insight::InsightFile, phase::PhaseFile, service::ServiceFile, text::Name,
        },
        problem::quote,
    },
};

/// Precedence of a file. A later rank takes precedence over an earlier one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    /// Part of the program. [`merge`] always ranks it below the others.
    BuiltIn,
    /// The operator's `policy_file`.
    Operator,
    /// The organisation's `.github` repository.
    Organisation,
    /// The repository's own.
    Repository,
}

/// A file with its rank.
#[derive(Debug, Clone)]
pub struct Layer {
    /// The file's rank.
    pub rank: Rank,
    /// The file.
    pub parsed: Parsed,
}

/// The merged policy of all layers.
#[derive(Debug, Clone)]
pub struct Merged {
    /// The result. It has every key that the built-in policy sets.
    pub file: PolicyFile,
    /// Short hash of all layers' texts.
    pub version: String,
    /// Settings of a layer that have no effect, because the operator locked them.
    pub notes: Vec<Problem>,
    layers: Vec<Layer>,
    phases: usize,
}

impl Merged {
    /// Returns the layers, in order of rank, lowest first.
    pub(crate) fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// Returns the file whose list of phases is in force.
    pub fn phases_from(&self) -> &Parsed {
        self.layers.get(self.phases).map_or_else(|| built_in::parsed(), |layer| &layer.parsed)
    }
}

/// Merges layers, in any order, over the built-in policy.
pub fn merge(layers: &[Layer]) -> Merged {
    let mut layers: Vec<Layer> = layers.iter().filter(|layer| layer.rank != Rank::BuiltIn).cloned().collect();
    layers.push(Layer { rank: Rank::BuiltIn, parsed: built_in::parsed().clone() });
    layers.sort_by_key(|layer| layer.rank);

    let locked: Vec<String> = layers
        .iter()
        .filter(|layer| layer.rank == Rank::Operator)
        .flat_map(|layer| layer.parsed.file.locked.iter().flatten().map(|key| key.as_str().to_owned()))
        .collect();
    let mut merging = Merging::default();
    let mut notes = Vec::new();
    let mut phases = 0;
    for (index, layer) in layers.iter().enumerate() {
        let mut file = layer.parsed.file.clone();
        if layer.rank > Rank::Operator {
            for key in &locked {
                withdraw(key, &mut file, &layer.parsed, &mut notes);
            }
            if file.locked.take().is_some() {
                let message = "`locked` counts in the operator's policy only";
                notes.push(layer.parsed.problem_of_key(&[], "locked", message));
            }
        }
        if file.phases.is_some() {
            phases = index;
        }
        merging.add(file);
    }
    let version = version(&layers);
    Merged { file: merging.file, version, notes, layers, phases }
}

/// Returns a short hash of the texts, each with its rank and length, so that no two different sets
/// of texts give the same input to the hash.
fn version(layers: &[Layer]) -> String {
    let mut hash = Sha256::new();
    for layer in layers {
        hash.update([layer.rank as u8]);
        hash.update(layer.parsed.text().len().to_be_bytes());
        hash.update(layer.parsed.text().as_bytes());
    }
    hex::encode(hash.finalize()).chars().take(12).collect()
}

/// Removes a locked key from a file and adds a note about it.
fn withdraw(key: &str, file: &mut PolicyFile, parsed: &Parsed, notes: &mut Vec<Problem>) {
    let was = match key.split_once('.') {
        Some(("gates", name)) => remove(&mut file.gates, name),
        Some(("environments", name)) => remove(&mut file.environments, name),
        _ => take(key, file).then(|| key.to_owned()),
    };
    let Some(written) = was else { return };
    let message = format!("{} is locked by the operator's policy; what is said here has no effect", quote(key));
    let (path, last) = match key.split_once('.') {
        Some((top, _)) => (vec![top.into()], written.as_str()),
        None => (Vec::new(), key),
    };
    notes.push(parsed.problem_of_key(&path, last, message));
}

/// Removes an entry whose name is compared without case. Returns the name as it was written.
fn remove<T>(map: &mut Option<BTreeMap<Name, T>>, name: &str) -> Option<String> {
    let map = map.as_mut()?;
    let key = map.keys().find(|key| same(key, name))?.clone();
    map.remove(&key);
    Some(key.as_str().to_owned())
}

fn same(name: &Name, other: &str) -> bool {
    name_key(name.as_str()) == name_key(other)
}

/// Clears a top-level key. Returns true if it was set. The keys are those of
/// [`crate::policy::file::text::LOCKABLE`].
fn take(key: &str, file: &mut PolicyFile) -> bool {
    match key {
        "mode" => file.mode.take().is_some(),
        "policy_check" => file.policy_check.take().is_some(),
        "ignore" => file.ignore.take().is_some(),
        "phases" => file.phases.take().is_some(),
        "branches" => file.branches.take().is_some(),
        "checks" => file.checks.take().is_some(),
        "commands" => file.commands.take().is_some(),
        "gates" => file.gates.take().is_some(),
        "environments" => file.environments.take().is_some(),
        "freezes" => file.freezes.take().is_some(),
        "override" => file.overrides.take().is_some(),
        "alerts" => file.alerts.take().is_some(),
        "insight" => file.insight.take().is_some(),
        "services" => file.services.take().is_some(),
        "shared" => file.shared.take().is_some(),
        "notes" => file.notes.take().is_some(),
        "notices" => file.notices.take().is_some(),
        _ => false,
    }
}

/// The conditions that one layer requires of a gate or environment, and whether a later layer may
/// replace them.
type Block = (Vec<Condition>, bool);

#[derive(Default)]
struct Merging {
    file: PolicyFile,
    gates: BTreeMap<String, Vec<Block>>,
    environments: BTreeMap<String, Vec<Block>>,
}

/// Replaces the earlier layer's value (`above`) with the later layer's (`below`), if that has one.
fn over<T>(above: &mut Option<T>, below: Option<T>) {
    if below.is_some() {
        *above = below;
    }
}

/// Merges a section key by key. `below` is the later layer's.
fn section<T: Default>(above: &mut Option<T>, below: Option<T>, merge: impl FnOnce(&mut T, T)) {
    if let Some(below) = below {
        merge(above.get_or_insert_default(), below);
    }
}

impl Merging {
    fn add(&mut self, file: PolicyFile) {
        let above = &mut self.file;
        over(&mut above.version, file.version);
        over(&mut above.notes, file.notes);
        over(&mut above.notices, file.notices);
        over(&mut above.mode, file.mode);
        over(&mut above.policy_check, file.policy_check);
        over(&mut above.branches, file.branches);
        over(&mut above.locked, file.locked);
        section(&mut above.ignore, file.ignore, |above, below| {
            let IgnoreFile { authors, labels } = below;
            over(&mut above.authors, authors);
            over(&mut above.labels, labels);
        });
        section(&mut above.checks, file.checks, |above, below| {
            let ChecksFile { ignore, settle } = below;
            over(&mut above.ignore, ignore);
            over(&mut above.settle, settle);
        });
        section(&mut above.commands, file.commands, |above, below| {
            let CommandsFile { bare, permissions, apps, tz } = below;
            over(&mut above.bare, bare);
            over(&mut above.apps, apps);
            over(&mut above.tz, tz);
            section(&mut above.permissions, permissions, Extend::extend);
        });
        section(&mut above.overrides, file.overrides, |above, below| {
            let OverrideFile { teams, second, ttl, never } = below;
            over(&mut above.teams, teams);
            over(&mut above.second, second);
            over(&mut above.ttl, ttl);
            over(&mut above.never, never);
        });
        section(&mut above.alerts, file.alerts, |above, below| {
            let AlertsFile {
                routes,
                auto_close,
                hold,
                grace,
                reopen_window,
                environment,
                suspect_window,
                stale_after,
                suppress,
                storm,
            } = below;
            over(&mut above.routes, routes);
            over(&mut above.auto_close, auto_close);
            over(&mut above.hold, hold);
            over(&mut above.grace, grace);
            over(&mut above.reopen_window, reopen_window);
            over(&mut above.environment, environment);
            over(&mut above.suspect_window, suspect_window);
            over(&mut above.stale_after, stale_after);
            over(&mut above.suppress, suppress);
            section(&mut above.storm, storm, |above, below| {
                over(&mut above.issues, below.issues);
                over(&mut above.within, below.within);
            });
        });
        section(&mut above.insight, file.insight, |above, below| {
            let InsightFile { tz, rework_window, rework, start, finish, active, retro } = below;
            over(&mut above.tz, tz);
            over(&mut above.rework_window, rework_window);
            over(&mut above.rework, rework);
            over(&mut above.start, start);
            over(&mut above.finish, finish);
            over(&mut above.active, active);
            over(&mut above.retro, retro);
        });
        section(&mut above.freezes, file.freezes, |above, below| {
            for freeze in below {
                if !above.contains(&freeze) {
                    above.push(freeze);
                }
            }
        });
        if let Some(below) = file.phases {
            above.phases = Some(phases(above.phases.as_deref().unwrap_or_default(), below));
        }
        // What a layer above claims, a layer below can't widen.
        for (name, service) in file.services.into_iter().flatten() {
            let above = entry(&mut above.services, name);
            let ServiceFile { paths, tags, environments, label } = service;
            above.paths = above.paths.take().or(paths);
            above.tags = above.tags.take().or(tags);
            above.environments = above.environments.take().or(environments);
            above.label = above.label.take().or(label);
        }
        above.shared = above.shared.take().or(file.shared);
        for (name, gate) in file.gates.into_iter().flatten() {
            gate_over(&mut above.gates, &mut self.gates, name, gate);
        }
        for (name, environment) in file.environments.into_iter().flatten() {
            environment::over_above(&mut above.environments, &mut self.environments, name, environment);
        }
    }
}

/// Returns the later list (`below`), with missing keys taken from the phases of the same name in
/// the earlier one (`above`).
fn phases(above: &[PhaseFile], below: Vec<PhaseFile>) -> Vec<PhaseFile> {
    let fill = |mut phase: PhaseFile| {
        let name = phase.name.as_str().to_lowercase();
        if let Some(model) = above.iter().find(|p| p.name.as_str().to_lowercase() == name) {
            phase.when = phase.when.or_else(|| model.when.clone());
            phase.label = phase.label.or_else(|| model.label.clone());
            phase.color = phase.color.or_else(|| model.color.clone());
            phase.description = phase.description.or_else(|| model.description.clone());
        }
        phase
    };
    below.into_iter().map(fill).collect()
}

/// Returns the entry called `name`, ignoring case. Creates it if there is none.
fn entry<T: Default>(map: &mut Option<BTreeMap<Name, T>>, name: Name) -> &mut T {
    let map = map.get_or_insert_default();
    let name = map.keys().find(|key| same(key, name.as_str())).cloned().unwrap_or(name);
    map.entry(name).or_default()
}

/// Like [`entry`], but renames the entry to the spelling given here: an environment has the name
/// that the nearest file describing it uses.
fn spelled<T: Default>(map: &mut Option<BTreeMap<Name, T>>, name: Name) -> &mut T {
    let map = map.get_or_insert_default();
    let above = map.keys().find(|key| same(key, name.as_str())).cloned();
    let value = above.and_then(|above| map.remove(&above)).unwrap_or_default();
    map.entry(name).or_insert(value)
}

/// Adds a layer's conditions to the blocks and returns all conditions that are then required.
fn require(blocks: &mut Vec<Block>, below: Option<Vec<Condition>>, overridable: bool) -> Option<Vec<Condition>> {
    if let Some(below) = below {
        blocks.retain(|(_, replaceable)| !replaceable);
        blocks.push((below, overridable));
    }
    let mut all: Vec<Condition> = Vec::new();
    for condition in blocks.iter().flat_map(|(conditions, _)| conditions) {
        if !all.contains(condition) {
            all.push(condition.clone());
        }
    }
    (!blocks.is_empty()).then_some(all)
}

fn gate_over(
    gates: &mut Option<BTreeMap<Name, GateFile>>,
    blocks: &mut BTreeMap<String, Vec<Block>>,
    name: Name,
    below: GateFile,
) {
    let blocks = blocks.entry(name_key(name.as_str())).or_default();
    let above = entry(gates, name);
    let GateFile { on, report, publish, notes, on_violation, require: required, overridable } = below;
    above.require = require(blocks, required, overridable.unwrap_or(false));
    section(&mut above.on, on, |above, below| {
        over(&mut above.tag, below.tag);
        over(&mut above.draft, below.draft);
    });
    over(&mut above.report, report);
    over(&mut above.publish, publish);
    over(&mut above.notes, notes);
    over(&mut above.on_violation, on_violation);
    over(&mut above.overridable, overridable);
}
