//! Checks that no single value can show: contradictions within a file, and between layers.

mod insight;
mod instances;
mod references;
mod services;

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    domain::rule::name_key,
    policy::{
        Merged, Parsed, Problem,
        file::{
            condition::Condition,
            environment::{AutoFile, EnvironmentFile, Trigger, Via},
            evidence::EvidenceFile,
            phase::PhaseFile,
        },
        problem::quote,
        yaml::Step,
    },
};

/// Maximum number of phases in a policy.
const MAX_PHASES: usize = 50;
/// Maximum number of globs in one file. Compiling each costs memory and time, and anyone who
/// installs the App may write a file.
const MAX_GLOBS: usize = 300;
/// Maximum number of rules for notices in one file.
const MAX_NOTICES: usize = 20;

/// Returns the contradictions within one file, in the file's order.
pub(crate) fn alone(parsed: &Parsed) -> Vec<Problem> {
    let mut checks = Checks { parsed, problems: Vec::new() };
    checks.check_globs();
    checks.check_phases();
    checks.check_gates();
    checks.check_environments();
    checks.check_freezes();
    checks.check_storm();
    checks.check_notices();
    let mut problems = checks.problems;
    problems.sort_by(|a, b| a.order().cmp(&b.order()));
    problems
}

/// Returns the contradictions that only show once the layers are merged.
pub(crate) fn together(merged: &Merged) -> Vec<Problem> {
    let mut problems = Vec::new();
    check_merged_phases(merged, &mut problems);
    check_merged_order(merged, &mut problems);
    references::check(merged, &mut problems);
    insight::check(merged, &mut problems);
    instances::check(merged, &mut problems);
    problems
}

/// Returns the warnings about values that are valid but probably not intended, in the file's order.
pub(crate) fn warnings(parsed: &Parsed, merged: &Merged) -> Vec<Problem> {
    let mut warnings = parsed.warnings.clone();
    references::warn(parsed, merged, &mut warnings);
    services::warn(parsed, merged, &mut warnings);
    warnings.sort_by(|a, b| a.order().cmp(&b.order()));
    warnings
}

/// Returns the warnings about paths that none of the repository's files has, in the file's order.
pub(crate) fn missing_files(parsed: &Parsed, files: &[String]) -> Vec<Problem> {
    let mut warnings = Vec::new();
    services::warn_of_missing(parsed, files, &mut warnings);
    warnings.sort_by(|a, b| a.order().cmp(&b.order()));
    warnings
}

/// Returns the label that shows a phase.
pub(crate) fn label_of(phase: &PhaseFile) -> String {
    phase.label.as_ref().map_or_else(|| format!("phase/{}", phase.name.as_str()), |label| label.as_str().to_owned())
}

fn path<const N: usize>(steps: [Step; N]) -> Vec<Step> {
    steps.into()
}

fn below(path: &[Step], step: impl Into<Step>) -> Vec<Step> {
    path.iter().cloned().chain([step.into()]).collect()
}

struct Checks<'a> {
    parsed: &'a Parsed,
    problems: Vec<Problem>,
}

impl Checks<'_> {
    fn report(&mut self, path: &[Step], message: impl Into<String>) {
        if self.parsed.is_whole(path) {
            self.problems.push(self.parsed.problem(path, message));
        }
    }

    fn check_maximum(&mut self, path: &[Step], number: Option<u8>, most: u8) {
        if let Some(number) = number.filter(|n| *n == 0 || *n > most) {
            self.report(path, format!("{number} is not between 1 and {most}"));
        }
    }

    fn check_globs(&mut self) {
        let file = &self.parsed.file;
        let evidence = file.phases.iter().flatten().flat_map(|phase| phase.when.iter().flatten());
        let lists = [
            file.branches.as_ref(),
            file.checks.as_ref().and_then(|checks| checks.ignore.as_ref()),
            file.ignore.as_ref().and_then(|ignore| ignore.labels.as_ref()),
        ];
        let gates = file.gates.iter().flatten();
        let required = (gates.clone().flat_map(|(_, gate)| gate.require.iter().flatten()))
            .chain(file.environments.iter().flatten().flat_map(|(_, e)| e.require.iter().flatten()));
        let tags = gates.filter(|(_, gate)| gate.on.as_ref().is_some_and(|on| on.tag.is_some())).count();
        let count = evidence.map(EvidenceFile::globs).sum::<usize>()
            + lists.iter().flatten().map(|l| l.len()).sum::<usize>()
            + required.map(Condition::globs).sum::<usize>()
            + tags
            + file.environments.iter().flatten().flat_map(|(_, e)| &e.auto).map(AutoFile::globs).sum::<usize>();
        let services = file.services.iter().flatten().map(|(_, service)| service.globs()).sum::<usize>();
        let groups = file.notes.iter().flat_map(|notes| notes.groups.iter().flatten());
        let count = count + groups.map(|group| group.labels.list().len()).sum::<usize>();
        let count = count + services + file.shared.as_ref().map_or(0, |shared| shared.list().len());
        let rework = file.insight.iter().flat_map(|insight| &insight.rework);
        let count = count + rework.map(|labels| labels.list().len()).sum::<usize>();
        let routes = file.alerts.iter().flat_map(|alerts| alerts.routes.iter().flatten());
        let count = count + routes.map(|route| route.matches.len()).sum::<usize>();
        let noticed = file.notices.iter().flatten().flat_map(|notice| &notice.environments);
        let count = count + noticed.map(|globs| globs.list().len()).sum::<usize>();
        if count > MAX_GLOBS {
            self.report(&[], format!("{count} globs; at most {MAX_GLOBS} are possible"));
        }
    }

    fn check_phases(&mut self) {
        let Some(phases) = &self.parsed.file.phases else { return };
        let list = path(["phases".into()]);
        if phases.is_empty() {
            self.report(&list, "at least one phase is needed; leave `phases` out to keep those above");
        }
        if phases.len() > MAX_PHASES {
            self.report(&list, format!("at most {MAX_PHASES} phases are possible; these are {}", phases.len()));
        }
        let mut names = BTreeMap::new();
        let mut labels = BTreeMap::new();
        for (index, phase) in phases.iter().enumerate() {
            let here = below(&list, index);
            if phase.when.as_ref().is_some_and(Vec::is_empty) {
                self.report(&below(&here, "when"), "a phase needs at least one piece of evidence");
            }
            let name = phase.name.as_str();
            if let Some(line) = names.insert(name.to_lowercase(), phase.line) {
                self.report(&below(&here, "name"), format!("phase {} stands twice; first in line {line}", quote(name)));
                continue;
            }
            let Some(label) = &phase.label else { continue };
            if let Some(line) = labels.insert(label.as_str().to_lowercase(), phase.line) {
                let label = quote(label.as_str());
                self.report(
                    &below(&here, "label"),
                    format!("label {label} already shows another phase; first in line {line}"),
                );
            }
        }
    }

    fn check_gates(&mut self) {
        for (name, gate) in self.parsed.file.gates.iter().flatten() {
            if reserved(name.as_str()) {
                let message =
                    format!("a gate can't be named {}: its check would be another one's", quote(name.as_str()));
                self.problems.push(self.parsed.problem_of_key(&path(["gates".into()]), name.as_str(), message));
            }
            let require = path(["gates".into(), name.as_str().into(), "require".into()]);
            self.check_conditions(&require, gate.require.as_deref().unwrap_or_default());
        }
    }

    fn check_environments(&mut self) {
        let mut seen = BTreeSet::new();
        for (name, environment) in self.parsed.file.environments.iter().flatten() {
            let here = path(["environments".into(), name.as_str().into()]);
            if !seen.insert(name_key(name.as_str())) {
                let message =
                    format!("environment {} stands twice; names are compared without case", quote(name.as_str()));
                self.problems.push(self.parsed.problem_of_key(&path(["environments".into()]), name.as_str(), message));
            }
            let require = environment.require.as_deref().unwrap_or_default();
            self.check_conditions(&below(&here, "require"), require);
            self.check_deployed_elsewhere(&below(&here, "require"), name.as_str(), require);
            self.check_maximum(
                &below(&below(&here, "rollback"), "last"),
                environment.rollback.as_ref().and_then(|r| r.last),
                100,
            );
            self.check_deploy(&below(&here, "deploy"), environment);
            if let Some(auto) = &environment.auto {
                self.check_auto(&below(&here, "auto"), auto);
            }
        }
    }

    /// Reports an environment that requires `deployed` in itself.
    fn check_deployed_elsewhere(&mut self, here: &[Step], name: &str, require: &[Condition]) {
        references::named(here, require, &mut |place, named, kind| {
            if kind == references::Kind::Deployed && named.eq_ignore_ascii_case(name) {
                self.report(&place, format!("{} would have to run before itself", quote(name)));
            }
        });
    }

    fn check_deploy(&mut self, here: &[Step], environment: &EnvironmentFile) {
        let Some(deploy) = &environment.deploy else { return };
        match (deploy.via, &deploy.workflow) {
            (Via::WorkflowDispatch, None) => {
                self.report(here, "`via: workflow_dispatch` needs `workflow`, the workflow's file name");
            }
            (Via::Deployment, Some(_)) => {
                self.report(&below(here, "workflow"), "`workflow` belongs to `via: workflow_dispatch`");
            }
            _ => {}
        }
        for (name, input) in deploy.inputs.iter().flatten() {
            if input.values.is_empty() {
                let values = below(&below(&below(here, "inputs"), name.as_str()), "enum");
                self.report(&values, "an input needs at least one value");
            }
        }
    }

    fn check_auto(&mut self, here: &[Step], auto: &AutoFile) {
        if let Some(tags) = &auto.tags {
            let tags_path = below(here, "tags");
            if tags.list().is_empty() {
                self.report(&tags_path, "an empty list matches no tag; leave `tags` out for all");
            }
            if !auto.on.contains(&Trigger::Tag) {
                self.report(&tags_path, "`tags` belongs to `on: [tag]`");
            }
        }
        if let Some(branches) = &auto.branches {
            let branches_path = below(here, "branches");
            if branches.list().is_empty() {
                self.report(
                    &branches_path,
                    "an empty list matches no branch; leave `branches` out for the default branch",
                );
            }
            if !auto.on.contains(&Trigger::Merge) {
                self.report(&branches_path, "`branches` belongs to `on: [merge]`");
            }
        }
    }

    fn check_freezes(&mut self) {
        for (index, freeze) in self.parsed.file.freezes.iter().flatten().enumerate() {
            if let Some(message) = freeze.contradiction() {
                self.report(&path(["freezes".into(), index.into(), "until".into()]), message);
            }
        }
    }

    fn check_storm(&mut self) {
        let issues = self.parsed.file.alerts.as_ref().and_then(|a| a.storm.as_ref()).and_then(|s| s.issues);
        self.check_maximum(&path(["alerts".into(), "storm".into(), "issues".into()]), issues, 100);
    }

    fn check_notices(&mut self) {
        let Some(notices) = &self.parsed.file.notices else { return };
        let list = path(["notices".into()]);
        if notices.len() > MAX_NOTICES {
            self.report(&list, format!("at most {MAX_NOTICES} are possible; these are {}", notices.len()));
        }
        for (index, notice) in notices.iter().enumerate() {
            if notice.on.as_ref().is_some_and(Vec::is_empty) {
                self.report(
                    &below(&below(&list, index), "on"),
                    "nothing is sent by an empty list; leave `on` out for the usual kinds",
                );
            }
        }
    }

    fn check_conditions(&mut self, here: &[Step], conditions: &[Condition]) {
        for (index, condition) in conditions.iter().enumerate() {
            self.check_condition(&below(here, index), condition);
        }
    }

    fn check_condition(&mut self, here: &[Step], condition: &Condition) {
        match condition {
            Condition::Window(window) if window.allow.is_empty() => {
                self.report(&below(&below(here, "window"), "allow"), "a window that is never open lets nothing pass");
            }
            Condition::Reviews(reviews) => {
                self.check_maximum(&below(&below(here, "reviews"), "count"), reviews.count, 20);
            }
            Condition::Blockers(blockers) if blockers.label.is_none() && blockers.milestone.is_none() => {
                self.report(&below(here, "blockers"), "`blockers` needs `label`, `milestone` or both");
            }
            Condition::Approval(approval) => {
                self.check_maximum(&below(&below(here, "approval"), "count"), approval.count, 20);
            }
            Condition::All(inner) => self.check_group(&below(here, "all"), inner),
            Condition::Any(inner) => self.check_group(&below(here, "any"), inner),
            Condition::Not(inner) => self.check_condition(&below(here, "not"), inner),
            Condition::Checks(_)
            | Condition::Tag(_)
            | Condition::Blockers(_)
            | Condition::Alerts(_)
            | Condition::Deployed(_)
            | Condition::External(_)
            | Condition::Database(_)
            | Condition::Window(_)
            | Condition::Ancestry(_)
            | Condition::Lock(_)
            | Condition::Freeze(_)
            | Condition::Hold(_) => {}
        }
    }

    fn check_group(&mut self, here: &[Step], inner: &[Condition]) {
        if inner.is_empty() {
            self.report(here, "a group needs at least one condition");
        }
        self.check_conditions(here, inner);
    }
}

/// Returns true for gate names whose check `phasebot/NAME` has another meaning.
fn reserved(name: &str) -> bool {
    let name = name.to_lowercase();
    name == "policy" || name == "deploy" || name.starts_with("deploy/")
}

fn check_merged_phases(merged: &Merged, problems: &mut Vec<Problem>) {
    let mut labels: BTreeMap<String, &str> = BTreeMap::new();
    for (index, phase) in merged.file.phases.iter().flatten().enumerate() {
        let here = path(["phases".into(), index.into()]);
        let name = phase.name.as_str();
        if phase.when.is_none() && merged.phases_from().is_whole(&here) {
            let message = format!("phase {} needs `when`: no phase above has its name", quote(name));
            problems.push(merged.phases_from().problem(&here, message));
        }
        let label = label_of(phase);
        // Two phases of one name are reported in the file itself.
        let twin = labels.insert(label.to_lowercase(), name);
        if let Some(other) = twin.filter(|other| !other.eq_ignore_ascii_case(name)) {
            let message =
                format!("phases {} and {} would have one label, {}", quote(other), quote(name), quote(&label));
            problems.push(merged.phases_from().problem(&here, message));
        }
    }
    services::check_labels(merged, &labels, problems);
}

/// Checks that `after` names environments that some layer describes, and has no cycles.
fn check_merged_order(merged: &Merged, problems: &mut Vec<Problem>) {
    let empty = BTreeMap::new();
    let all = merged.file.environments.as_ref().unwrap_or(&empty);
    let known: BTreeMap<String, &EnvironmentFile> = all.iter().map(|(n, e)| (name_key(n.as_str()), e)).collect();
    let described = references::described(merged);
    for layer in merged.layers() {
        for (name, environment) in layer.parsed.file.environments.iter().flatten() {
            for (index, before) in environment.after.iter().flatten().enumerate() {
                let here = path(["environments".into(), name.as_str().into(), "after".into(), index.into()]);
                let before = before.as_str();
                if !described.iter().any(|known| name_key(known) == name_key(before)) {
                    problems.extend(references::unknown(&layer.parsed, &here, before, &described));
                } else if leads_to(&known, before, name.as_str()) {
                    let message = format!("{} would have to run before itself", quote(name.as_str()));
                    problems.push(layer.parsed.problem(&here, message));
                }
            }
        }
    }
}

/// Returns true if `after` leads from one environment to another, in any number of steps.
fn leads_to(known: &BTreeMap<String, &EnvironmentFile>, from: &str, to: &str) -> bool {
    let mut seen = BTreeSet::new();
    let mut left = vec![name_key(from)];
    while let Some(name) = left.pop() {
        if name == name_key(to) {
            return true;
        }
        if seen.insert(name.clone()) {
            let next = known.get(&name).and_then(|e| e.after.as_ref()).into_iter().flatten();
            left.extend(next.map(|n| name_key(n.as_str())));
        }
    }
    false
}
