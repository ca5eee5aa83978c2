//! Compiles gates, environments, freezes and overrides from the file to the rules that evaluations
//! read.

use jiff::{SignedDuration, tz::TimeZone};

use crate::{
    domain::{
        per_pull::{NUMBER, PerPullRule},
        policy::Pattern,
        rule::{
            ApplyRule, AutoRule, ConditionRule, DatabaseRule, DeployRule, EnvironmentRule, ExternalRule, FreezeRule,
            GateRule, NamedCheck, OverrideRule, RollbackOnIncident, RollbackRule, Via, Window, name_key,
        },
    },
    policy::file::{
        OverrideFile,
        condition::{AncestryCondition, Condition, NamedCheckFile, NamedCheckSettings, Team},
        environment::{
            AutoFile, DatabaseFile, DeployFile, EnvironmentFile, Per, Pin, RollbackFile, RollbackOn, Via as ViaFile,
            WorkflowFile,
        },
        gate::{GateFile, GateOn, OnViolation, ReportOn},
        text::{Glob, LabelName, Name},
        time::{Freeze, Length, Zone},
    },
};

/// Tags that a gate without `on` applies to, in addition to draft releases.
const TAGS: &str = "v*";
/// Default time within which a check must report.
const REPORT_WITHIN: SignedDuration = SignedDuration::from_hours(2);
/// Default time after which another system's verdict no longer counts.
const MAX_AGE: SignedDuration = SignedDuration::from_hours(24);
/// Default branch of a database that an environment uses.
const MAIN_BRANCH: &str = "main";
/// Default number of environments that are made for pull requests at a time.
const MOST_INSTANCES: u32 = 10;
/// Default time after a deployment within which an incident undoes it.
const ROLLBACK_WITHIN: SignedDuration = SignedDuration::from_mins(15);

pub(super) fn gate(file: &GateFile) -> Result<GateRule, String> {
    let (tag, draft) = match &file.on {
        Some(GateOn { tag, draft }) => (tag.as_ref().map(Glob::pattern).transpose()?, draft.unwrap_or(false)),
        None => (Some(Pattern::new(TAGS).map_err(|error| error.to_string())?), true),
    };
    Ok(GateRule {
        tag,
        draft,
        report_branch: file.report == Some(ReportOn::Branch),
        require: conditions(file.require.as_deref())?,
        publish: file.publish.unwrap_or(false),
        notes: file.notes.unwrap_or(false),
        issue_on_violation: file.on_violation == Some(OnViolation::Issue),
    })
}

pub(super) fn environment(name: &Name, file: &EnvironmentFile) -> Result<EnvironmentRule, String> {
    let rollback = file.rollback.clone().unwrap_or_default();
    Ok(EnvironmentRule {
        name: name.as_str().to_owned(),
        production: file.production,
        after: file.after.iter().flatten().map(lower).collect(),
        deploy: file.deploy.as_ref().map(deploy),
        auto: file.auto.as_ref().map(auto).transpose()?.unwrap_or_default(),
        unmerged: file.unmerged.unwrap_or(false) || file.per.is_some(),
        best_effort: file.pin == Some(Pin::BestEffort),
        require: conditions(file.require.as_deref())?,
        rollback: rollback_rule(&rollback),
        when_busy: file.when_busy.unwrap_or_default(),
        per_pull: per_pull(name, file),
        database: file.database.as_ref().map(database),
    })
}

fn database(file: &DatabaseFile) -> DatabaseRule {
    DatabaseRule {
        connection: file.connection.as_str().to_owned(),
        into: file.into.as_ref().map_or(MAIN_BRANCH, Name::as_str).to_owned(),
        matching: file.matching.unwrap_or_default(),
        apply: file
            .apply
            .unwrap_or(false)
            .then(|| ApplyRule { order: file.order.unwrap_or_default(), rollback: file.rollback.unwrap_or_default() }),
    }
}

/// Returns the name of each environment that is made for a pull request, with [`NUMBER`] in it.
pub(super) fn template(name: &Name, file: &EnvironmentFile) -> String {
    match &file.name {
        Some(name) => name.as_str().to_owned(),
        None => format!("{}/pr-{NUMBER}", name.as_str()),
    }
}

fn per_pull(name: &Name, file: &EnvironmentFile) -> Option<PerPullRule> {
    let Per::PullRequest = file.per?;
    Some(PerPullRule {
        name: template(name, file),
        label: file.label.as_ref().map(|label| label.as_str().to_owned()),
        teardown: file.teardown.as_ref().map_or("", WorkflowFile::file_name).to_owned(),
        ttl: file.ttl.map(Length::duration),
        most: usize::try_from(file.max.unwrap_or(MOST_INSTANCES)).unwrap_or(usize::MAX),
    })
}

fn auto(file: &AutoFile) -> Result<AutoRule, String> {
    let tags = file.tags.as_ref().map(|globs| patterns(Some(globs.list()))).transpose()?;
    let branches = file.branches.as_ref().map(|globs| patterns(Some(globs.list()))).transpose()?;
    let services = file.services.as_ref();
    let services = services.map(|names| names.iter().map(|name| name.as_str().to_owned()).collect());
    let allow_older = file.allow_older.unwrap_or(false);
    Ok(AutoRule { on: file.on.clone(), tags, branches, services, allow_older })
}

fn rollback_rule(file: &RollbackFile) -> RollbackRule {
    RollbackRule {
        last: file.last.unwrap_or(RollbackRule::default().last),
        waive: file.waive.clone().unwrap_or_default(),
        on_incident: file.on.map(|RollbackOn::Incident| RollbackOnIncident {
            within: file.within.map_or(ROLLBACK_WITHIN, Length::duration),
            severities: match &file.severities {
                Some(severities) => severities.iter().map(|severity| severity.as_str().to_owned()).collect(),
                None => vec!["critical".to_owned()],
            },
        }),
    }
}

fn deploy(file: &DeployFile) -> DeployRule {
    let via = match file.via {
        ViaFile::Deployment => Via::Deployment,
        ViaFile::WorkflowDispatch => {
            Via::Workflow { file: file.workflow.as_ref().map_or("", WorkflowFile::file_name).to_owned() }
        }
    };
    let values = |values: &[Name]| values.iter().map(|value| value.as_str().to_owned()).collect();
    let inputs = file.inputs.iter().flatten();
    DeployRule { via, inputs: inputs.map(|(name, input)| (name.as_str().to_owned(), values(&input.values))).collect() }
}

pub(super) fn freeze(file: &Freeze) -> Result<FreezeRule, String> {
    Ok(FreezeRule {
        environment: lower(&file.environment),
        from: file.from.as_str().parse()?,
        until: file.until.as_str().parse()?,
        zone: zone(file.tz.as_ref()),
        reason: file.reason.as_ref().map(|reason| reason.as_str().to_owned()),
    })
}

pub(super) fn overrides(file: &OverrideFile) -> OverrideRule {
    let rule = OverrideRule::default();
    OverrideRule {
        second: file.second.unwrap_or(rule.second),
        ttl: file.ttl.map_or(rule.ttl, Length::duration),
        never: file.never.clone().unwrap_or(rule.never),
    }
}

fn conditions(files: Option<&[Condition]>) -> Result<Vec<ConditionRule>, String> {
    files.unwrap_or_default().iter().map(condition).collect()
}

fn condition(file: &Condition) -> Result<ConditionRule, String> {
    Ok(match file {
        Condition::Checks(checks) => ConditionRule::Checks {
            named: checks.named.iter().flatten().map(named_check).collect::<Result<_, _>>()?,
            report_within: checks.report_within.map_or(REPORT_WITHIN, Length::duration),
        },
        Condition::Reviews(reviews) => ConditionRule::Reviews { count: reviews.count.unwrap_or(1) },
        Condition::Tag(tag) => {
            ConditionRule::Tag { increasing: tag.increasing.unwrap_or(true), signed: tag.signed.unwrap_or(false) }
        }
        Condition::Blockers(blockers) => ConditionRule::Blockers {
            label: blockers.label.as_ref().map(LabelName::as_str).map(str::to_owned),
            milestone: blockers.milestone.as_ref().map(Name::as_str).map(str::to_owned),
        },
        Condition::Alerts(alerts) => ConditionRule::Alerts { environment: alerts.environment.as_ref().map(lower) },
        Condition::Deployed(deployed) => ConditionRule::Deployed {
            environment: lower(&deployed.environment),
            soak: deployed.soak.map_or(SignedDuration::ZERO, Length::duration),
        },
        Condition::External(external) => ConditionRule::External(ExternalRule {
            from: external.from.as_str().to_owned(),
            name: external.name.as_ref().map_or_else(every, Glob::pattern)?,
            environment: external.environment.as_ref().map(lower),
            max_age: external.max_age.map_or(MAX_AGE, Length::duration),
            report_within: external.report_within.map_or(REPORT_WITHIN, Length::duration),
        }),
        Condition::Database(database) => {
            ConditionRule::Database { environment: database.environment.as_ref().map(lower), want: database.want }
        }
        Condition::Window(window) => ConditionRule::Window(Window {
            hours: window.allow.iter().map(|weekly| weekly.as_str().parse()).collect::<Result<_, _>>()?,
            zone: zone(window.tz.as_ref()),
        }),
        Condition::Approval(approval) => ConditionRule::Approval {
            count: approval.count.unwrap_or(1),
            teams: approval.teams.iter().flatten().map(Team::as_str).map(str::to_owned).collect(),
            mention: approval.mention.unwrap_or(false),
        },
        Condition::Ancestry(ancestry) => ConditionRule::Ancestry {
            of: patterns(Some(ancestry.of()))?,
            any: matches!(ancestry, AncestryCondition::Any),
        },
        Condition::Lock(_) => ConditionRule::Lock,
        Condition::Freeze(_) => ConditionRule::Freeze,
        Condition::Hold(_) => ConditionRule::Hold,
        Condition::All(inner) => ConditionRule::All(conditions(Some(inner))?),
        Condition::Any(inner) => ConditionRule::Any(conditions(Some(inner))?),
        Condition::Not(inner) => ConditionRule::Not(Box::new(condition(inner)?)),
    })
}

/// Returns the glob that matches every name.
fn every() -> Result<Pattern, String> {
    Pattern::new("*").map_err(|error| error.to_string())
}

fn named_check(file: &NamedCheckFile) -> Result<NamedCheck, String> {
    let NamedCheckSettings { name, app } = &file.0;
    Ok(NamedCheck { name: name.pattern()?, app: app.as_ref().map(|app| app.as_str().to_owned()) })
}

fn zone(file: Option<&Zone>) -> TimeZone {
    file.and_then(Zone::time_zone).unwrap_or(TimeZone::UTC)
}

/// Returns the key of a name: environments are compared without case.
fn lower(name: &Name) -> String {
    name_key(name.as_str())
}

/// Compiles globs.
pub(super) fn patterns(globs: Option<&[Glob]>) -> Result<Vec<Pattern>, String> {
    globs.unwrap_or_default().iter().map(Glob::pattern).collect()
}
