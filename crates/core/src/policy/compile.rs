//! Compiles a merged file to the policy that evaluations read.

use std::collections::BTreeMap;

use jiff::SignedDuration;

use crate::{
    domain::{
        alert_policy::{AlertPolicy, AlertRoute, StormPolicy},
        insight::{InsightRules, RetroRules},
        notice::{NoticeKind, NoticeRule},
        permission::{Grant, Role},
        policy::{
            CheckRules, CommandRules, EnvironmentFilter, Evidence, EvidenceKind, Ignore, Pattern, PhaseRule, Policy,
        },
        rule::{ServiceRule, name_key},
    },
    policy::{
        Merged, Problem,
        file::{
            PolicyCheck, PolicyFile,
            alerts::RouteFile,
            command::Permission,
            condition::Team,
            evidence::EvidenceFile,
            notice::NoticeFile,
            phase::PhaseFile,
            service::ServiceFile,
            text::{Color, Description, Glob, Globs, Name},
            time::Length,
        },
        rules::{self, patterns},
        validate::{self, label_of},
    },
};

/// Time of day of the weekly retrospective.
const RETRO_AT: jiff::civil::Time = jiff::civil::Time::constant(9, 0, 0, 0);
/// Colour of the label of a phase without a colour: a light grey.
const GREY: &str = "EDEDED";
const SETTLE: SignedDuration = SignedDuration::from_secs(60);
const QUIET: SignedDuration = SignedDuration::from_mins(30);
const REWORK_WINDOW: SignedDuration = SignedDuration::from_hours(72);

/// Compiles a merged file. The problems are those that only show once the layers are merged; each
/// points into the file that it is in.
pub fn compile(merged: &Merged) -> Result<Policy, Vec<Problem>> {
    let problems = validate::together(merged);
    if !problems.is_empty() {
        return Err(problems);
    }
    policy(merged).map_err(|message| vec![merged.phases_from().problem(&[], message)])
}

fn policy(merged: &Merged) -> Result<Policy, String> {
    let file = &merged.file;
    let checks = file.checks.clone().unwrap_or_default();
    let ignore = file.ignore.clone().unwrap_or_default();
    Ok(Policy {
        source: merged.phases_from().name().to_owned(),
        version: merged.version.clone(),
        mode: file.mode.unwrap_or_default(),
        phases: file.phases.iter().flatten().map(phase).collect::<Result<_, _>>()?,
        branches: patterns(file.branches.as_deref())?,
        checks: CheckRules {
            ignore: patterns(checks.ignore.as_deref())?,
            settle: checks.settle.map_or(SETTLE, Length::duration),
        },
        ignore: Ignore {
            authors: ignore.authors.iter().flatten().map(|author| author.as_str().to_owned()).collect(),
            labels: patterns(ignore.labels.as_deref())?,
        },
        commands: commands(file),
        environments: (file.environments.iter().flatten())
            .map(|(name, file)| Ok((name_key(name.as_str()), rules::environment(name, file)?)))
            .collect::<Result<_, String>>()?,
        services: (file.services.iter().flatten())
            .map(|(name, file)| Ok((name.as_str().to_owned(), service(file)?)))
            .collect::<Result<_, String>>()?,
        shared: globs(file.shared.as_ref())?,
        notes: (file.notes.iter().flat_map(|notes| notes.groups.iter().flatten()))
            .map(|group| Ok((group.title.as_str().to_owned(), globs(Some(&group.labels))?)))
            .collect::<Result<_, String>>()?,
        gates: (file.gates.iter().flatten())
            .map(|(name, file)| Ok((name_key(name.as_str()), rules::gate(file)?)))
            .collect::<Result<_, String>>()?,
        freezes: file.freezes.iter().flatten().map(rules::freeze).collect::<Result<_, _>>()?,
        overrides: file.overrides.as_ref().map(rules::overrides).unwrap_or_default(),
        alerts: alerts(file)?,
        insight: insight(file)?,
        notices: file.notices.iter().flatten().map(notice).collect::<Result<_, _>>()?,
        policy_check_required: file.policy_check == Some(PolicyCheck::Required),
    })
}

fn notice(file: &NoticeFile) -> Result<NoticeRule, String> {
    let usual = || NoticeKind::ALL.into_iter().filter(|kind| kind.is_default()).collect();
    Ok(NoticeRule {
        to: file.to.as_str().to_owned(),
        on: file.on.clone().unwrap_or_else(usual),
        environments: environment_globs(file.environments.as_ref())?,
    })
}

/// Compiles globs of environments, which are compared in lower case.
fn environment_globs(globs: Option<&Globs>) -> Result<Vec<Pattern>, String> {
    let lower = |glob: &Glob| Glob::try_from(name_key(glob.as_str()))?.pattern();
    globs.into_iter().flat_map(Globs::list).map(lower).collect()
}

fn service(file: &ServiceFile) -> Result<ServiceRule, String> {
    let environments = environment_globs(file.environments.as_ref())?;
    let label = file.label.as_ref().map(|label| label.as_str().to_owned());
    Ok(ServiceRule { paths: globs(file.paths.as_ref())?, tags: globs(file.tags.as_ref())?, environments, label })
}

fn globs(globs: Option<&Globs>) -> Result<Vec<Pattern>, String> {
    globs.into_iter().flat_map(Globs::list).map(Glob::pattern).collect()
}

fn commands(file: &PolicyFile) -> CommandRules {
    let written = file.commands.clone().unwrap_or_default();
    let mut permissions: BTreeMap<String, Grant> =
        written.permissions.into_iter().flatten().map(|(name, who)| (name.name().to_owned(), grant(&who))).collect();
    // The `override` section can also say who may override.
    if let Some(teams) = file.overrides.as_ref().and_then(|o| o.teams.as_ref()).filter(|teams| !teams.is_empty()) {
        permissions.entry("override".to_owned()).or_insert_with(|| named(teams));
    }
    let rules = CommandRules::default();
    CommandRules {
        bare: written.bare.unwrap_or(rules.bare),
        permissions,
        apps: written.apps.into_iter().flatten().map(|app| app.as_str().to_lowercase()).collect(),
        zone: written.tz.and_then(|zone| zone.time_zone()).unwrap_or(rules.zone),
    }
}

fn alerts(file: &PolicyFile) -> Result<AlertPolicy, String> {
    let written = file.alerts.clone().unwrap_or_default();
    let usual = AlertPolicy::default();
    let or = |length: Option<Length>, usual: SignedDuration| length.map_or(usual, Length::duration);
    let storm = written.storm.unwrap_or_default();
    Ok(AlertPolicy {
        routes: written.routes.iter().flatten().map(route).collect::<Result<_, _>>()?,
        environment: written.environment.map(|name| name_key(name.as_str())),
        auto_close: written.auto_close.unwrap_or(usual.auto_close),
        hold: or(written.hold, usual.hold),
        grace: or(written.grace, usual.grace),
        reopen_window: or(written.reopen_window, usual.reopen_window),
        suspect_window: or(written.suspect_window, usual.suspect_window),
        stale_after: or(written.stale_after, usual.stale_after),
        suppress: or(written.suppress, usual.suppress),
        storm: StormPolicy {
            issues: storm.issues.map_or(usual.storm.issues, usize::from),
            within: or(storm.within, usual.storm.within),
        },
    })
}

fn insight(file: &PolicyFile) -> Result<InsightRules, String> {
    let written = file.insight.clone().unwrap_or_default();
    let phases: Vec<&str> = file.phases.iter().flatten().map(|phase| phase.name.as_str()).collect();
    // Policies with other phases: the second and the last but one, if nothing else is said.
    let named = |name: Option<Name>, usual: &str, place: usize| {
        let usual = phases.iter().find(|phase| phase.eq_ignore_ascii_case(usual)).or_else(|| phases.get(place));
        name.map_or_else(|| usual.copied().unwrap_or_default().to_owned(), |name| name.as_str().to_owned())
    };
    let start = named(written.start, "code", 1.min(phases.len().saturating_sub(1)));
    let zone = written.tz.and_then(|zone| zone.time_zone()).unwrap_or_else(|| commands(file).zone);
    let retro = written.retro.map(|retro| RetroRules {
        day: retro.day.weekday(),
        at: retro.at.map_or(RETRO_AT, |at| at.time()),
        zone: retro.tz.and_then(|zone| zone.time_zone()).unwrap_or_else(|| zone.clone()),
    });
    Ok(InsightRules {
        zone,
        retro,
        rework_window: written.rework_window.map_or(REWORK_WINDOW, Length::duration),
        rework: match &written.rework {
            Some(labels) => labels.list().iter().map(Glob::pattern).collect::<Result<_, _>>()?,
            None => vec![Glob::try_from("hotfix".to_owned())?.pattern()?],
        },
        finish: named(written.finish, "operate", phases.len().saturating_sub(2)),
        active: match written.active {
            Some(names) => names.iter().map(|name| name.as_str().to_owned()).collect(),
            None => vec![start.clone()],
        },
        start,
    })
}

fn route(file: &RouteFile) -> Result<AlertRoute, String> {
    let name = |name: &Option<Name>| name.as_ref().map(|name| name.as_str().to_owned());
    let matches = file.matches.iter().map(|(label, glob)| Ok((label.as_str().to_owned(), glob.pattern()?)));
    Ok(AlertRoute {
        matches: matches.collect::<Result<_, String>>()?,
        assign: file.assign.iter().flatten().map(|login| login.as_str().to_owned()).collect(),
        labels: file.labels.iter().flatten().map(|label| label.as_str().to_owned()).collect(),
        environment: name(&file.environment).map(|name| name_key(&name)),
        service: name(&file.service),
        severity: name(&file.severity),
    })
}

fn grant(file: &Permission) -> Grant {
    Grant::AtLeast(match file {
        Permission::Read => Role::Read,
        Permission::Triage => Role::Triage,
        Permission::Write => Role::Write,
        Permission::Maintain => Role::Maintain,
        Permission::Admin => Role::Admin,
        Permission::Teams(teams) => return named(teams),
    })
}

fn named(teams: &[Team]) -> Grant {
    Grant::Teams(teams.iter().map(|team| team.as_str().to_owned()).collect())
}

fn phase(file: &PhaseFile) -> Result<PhaseRule, String> {
    Ok(PhaseRule {
        name: file.name.as_str().to_owned(),
        label: label_of(file),
        color: file.color.as_ref().map_or(GREY, Color::as_str).to_owned(),
        description: file.description.as_ref().map_or("", Description::as_str).to_owned(),
        when: file.when.iter().flatten().map(evidence).collect::<Result<_, _>>()?,
        line: file.line,
    })
}

fn evidence(file: &EvidenceFile) -> Result<Evidence, String> {
    let narrow = file.narrow();
    Ok(Evidence { kind: kind(file)?, labels: either(narrow.labels)?, branches: either(narrow.branches)? })
}

fn kind(file: &EvidenceFile) -> Result<EvidenceKind, String> {
    Ok(match file {
        EvidenceFile::IssueOpen(_) => EvidenceKind::IssueOpen,
        EvidenceFile::PullRequestOpen(_) => EvidenceKind::PullRequestOpen,
        EvidenceFile::BranchLinked(c) => EvidenceKind::BranchLinked { numeric: c.numeric.unwrap_or(false) },
        EvidenceFile::PullRequestApproved(_) => EvidenceKind::PullRequestApproved,
        EvidenceFile::Merged(_) => EvidenceKind::Merged,
        EvidenceFile::ChecksPassed(c) => EvidenceKind::ChecksPassed { named: patterns(c.named.as_deref())? },
        EvidenceFile::Tagged(c) => EvidenceKind::Tagged { also: patterns(c.also.as_deref())? },
        EvidenceFile::ReleasePublished(c) => {
            EvidenceKind::ReleasePublished { prereleases: c.prereleases.unwrap_or(false) }
        }
        EvidenceFile::DeploymentStarted(c) => {
            EvidenceKind::DeploymentStarted(environments((&c.environment, &c.environments), c.production)?)
        }
        EvidenceFile::DeploymentSucceeded(c) => {
            EvidenceKind::DeploymentSucceeded(environments((&c.environment, &c.environments), c.production)?)
        }
        EvidenceFile::Soaked(c) => EvidenceKind::Soaked {
            environments: environments((&c.environment, &c.environments), c.production)?,
            quiet: c.quiet.map_or(QUIET, Length::duration),
        },
    })
}

/// Compiles a filter. Environments are compared without case: their patterns are lower case, as are
/// the names that they are matched with.
fn environments(
    (one, several): (&Option<Glob>, &Option<Vec<Glob>>),
    production: Option<bool>,
) -> Result<EnvironmentFilter, String> {
    let lower = |glob: &Glob| Glob::try_from(name_key(glob.as_str()))?.pattern();
    let names = one.iter().chain(several.iter().flatten()).map(lower).collect::<Result<_, _>>()?;
    Ok(EnvironmentFilter { names, production })
}

/// Compiles one glob and a list: `label: x` and `labels: [x]` mean the same.
fn either((one, several): (&Option<Glob>, &Option<Vec<Glob>>)) -> Result<Vec<Pattern>, String> {
    one.iter().chain(several.iter().flatten()).map(Glob::pattern).collect()
}
