//! Merging of several policy files.

use Rank::{Operator, Organisation, Repository};
use phasebot_core::{
    domain::{
        notice::NoticeRule,
        policy::{EvidenceKind, Mode, Pattern, Policy},
    },
    policy::{
        Layer, Merged, Rank, built_in, compile,
        file::{
            condition::{Condition, NoSettings},
            environment::Pin,
            text::LOCKABLE,
        },
        merge, parse,
    },
};

use super::accept::CONTRACT;

fn merged(layers: &[(Rank, &str)]) -> Merged {
    let layer = |(rank, text): &(Rank, &str)| Layer {
        rank: *rank,
        parsed: parse(&format!("{rank:?}"), text).unwrap_or_else(|problems| panic!("{problems:#?}")),
    };
    merge(&layers.iter().map(layer).collect::<Vec<_>>())
}

fn policy(layers: &[(Rank, &str)]) -> Policy {
    compile(&merged(layers)).unwrap()
}

#[test]
fn the_nearest_file_that_says_something_is_heard() {
    let policy = policy(&[
        (Repository, "branches: [next]"),
        (Operator, "mode: act\nbranches: [ops]\nchecks: { settle: 5m, ignore: [noise] }"),
        (Organisation, "mode: observe\nchecks: { settle: 2m }"),
    ]);
    assert_eq!(policy.mode, Mode::Observe);
    assert_eq!(policy.branches.iter().map(Pattern::as_str).collect::<Vec<_>>(), ["next"]);
    assert_eq!(policy.checks.settle.as_secs(), 120);
    assert_eq!(policy.checks.ignore[0].as_str(), "noise");
    assert_eq!((policy.source.as_str(), policy.phases.len()), ("built-in", 8));
}

#[test]
fn a_list_of_phases_replaces_and_its_entries_inherit() {
    let policy = policy(&[
        (
            Organisation,
            "phases:\n- { name: plan, color: '111111' }\n- { name: build }\n- { name: ship, when: [tagged] }",
        ),
        (Repository, "mode: label\nphases:\n- name: Ship\n- { name: plan, label: idea }\n"),
    ]);
    let seen: Vec<_> =
        policy.phases.iter().map(|p| (p.name.as_str(), p.label.as_str(), p.color.as_str(), p.line)).collect();
    assert_eq!(seen, [("Ship", "phase/Ship", "EDEDED", 3), ("plan", "idea", "111111", 4)]);
    assert!(matches!(policy.phases[0].when[0].kind, EvidenceKind::Tagged { .. }));
    assert_eq!(policy.phases[1].description, built_in().phases[0].description);
    assert_eq!(policy.source, "Repository");
}

#[test]
fn a_phase_without_model_needs_evidence() {
    let problems = compile(&merged(&[(Repository, "phases: [{ name: ship }]")])).unwrap_err();
    assert_eq!(problems[0].message, "phase `ship` needs `when`: no phase above has its name");
}

/// Returns the conditions that gate `release` requires after merging.
fn required(layers: &[(Rank, &str)]) -> Vec<Condition> {
    let gates = merged(layers).file.gates.unwrap();
    assert_eq!(gates.len(), 1);
    gates.into_values().next().unwrap().require.unwrap()
}

fn gate(conditions: &str) -> String {
    format!("gates: {{ release: {{ require: [{conditions}] }} }}")
}

const LOCK: Condition = Condition::Lock(NoSettings {});
const HOLD: Condition = Condition::Hold(NoSettings {});
const FREEZE: Condition = Condition::Freeze(NoSettings {});

#[test]
fn what_is_required_above_is_added_to() {
    let above = (Operator, gate("lock, hold"));
    let below = (Repository, gate("freeze, lock"));
    assert_eq!(required(&[(above.0, &above.1), (below.0, &below.1)]), [LOCK, HOLD, FREEZE]);
    assert_eq!(required(&[(above.0, &above.1), (Repository, "gates: { release: { require: [] } }")]), [LOCK, HOLD]);
    assert_eq!(required(&[(above.0, &above.1), (Repository, "gates: { RELEASE: { require: [freeze] } }")]).len(), 3);
}

#[test]
fn an_overridable_requirement_can_be_replaced_and_only_that() {
    let firm = "gates: { release: { require: [lock] } }";
    let soft = "gates: { release: { require: [hold], overridable: true } }";
    let last = "gates: { release: { require: [freeze] } }";
    assert_eq!(required(&[(Operator, firm), (Organisation, soft), (Repository, last)]), [LOCK, FREEZE]);
    assert_eq!(required(&[(Operator, soft), (Organisation, "mode: act"), (Repository, last)]), [FREEZE]);
    // A file's own setting does not override the files above it.
    let claims = "gates: { release: { require: [freeze], overridable: true } }";
    assert_eq!(required(&[(Operator, firm), (Repository, claims)]), [LOCK, FREEZE]);
    // A file without `require` keeps it.
    assert_eq!(required(&[(Operator, soft), (Repository, "gates: { release: { report: branch } }")]), [HOLD]);
}

#[test]
fn environments_are_merged_by_name_without_case() {
    let merged = merged(&[
        (Operator, "environments: { Production: { production: true, require: [lock], pin: strict } }"),
        (
            Repository,
            "environments: { production: { require: [hold], pin: best_effort, after: [staging] }, staging: {} }",
        ),
    ]);
    let policy = compile(&merged).unwrap();
    assert_eq!(policy.production("PRODUCTION"), Some(true));
    assert_eq!(policy.environments.keys().collect::<Vec<_>>(), ["production", "staging"]);
    // The nearest file determines its spelling.
    assert_eq!(policy.environments["production"].name, "production");
    let environments = merged.file.environments.unwrap();
    let production = environments.values().next().unwrap();
    assert_eq!(production.require, Some(vec![LOCK, HOLD]));
    assert_eq!(production.pin, Some(Pin::BestEffort));
}

#[test]
fn freezes_are_added_to() {
    let freeze = |day: &str| format!("freezes: [{{ environment: all, from: 12-{day}, until: 12-31 }}]");
    let (above, below) = (freeze("20"), freeze("24"));
    let merged = merged(&[(Operator, &above), (Repository, &below)]);
    assert_eq!(merged.file.freezes.unwrap().len(), 2);
}

#[test]
fn the_operator_can_lock_keys() {
    let locks = "mode: observe\nlocked: [mode, phases, environments.production]\nenvironments: { production: { production: true } }";
    let merged = merged(&[
        (Operator, locks),
        (Organisation, "mode: act"),
        (
            Repository,
            "mode: act
phases: [{ name: plan }]
environments:
  Production: { production: false }
  staging: { production: false }
branches: [next]
locked: [branches]
",
        ),
    ]);
    let policy = compile(&merged).unwrap();
    assert_eq!((policy.mode, policy.phases.len()), (Mode::Observe, 8));
    assert_eq!(policy.production("production"), Some(true));
    assert_eq!(policy.production("staging"), Some(false));
    assert_eq!(policy.branches.len(), 1);
    let notes: Vec<String> =
        merged.notes.iter().map(|n| format!("{}:{}:{}: {}", n.file, n.line, n.column, n.message)).collect();
    assert_eq!(
        notes,
        [
            "Organisation:1:1: `mode` is locked by the operator's policy; what is said here has no effect",
            "Repository:1:1: `mode` is locked by the operator's policy; what is said here has no effect",
            "Repository:2:1: `phases` is locked by the operator's policy; what is said here has no effect",
            "Repository:4:3: `environments.production` is locked by the operator's policy; what is said here has no effect",
            "Repository:7:1: `locked` counts in the operator's policy only",
        ]
    );
}

#[test]
fn a_list_of_notices_replaces_the_one_above() {
    let of = |layers: &[(Rank, &str)]| -> Vec<(String, usize, usize)> {
        let policy = policy(layers);
        let rule = |rule: &NoticeRule| (rule.to.clone(), rule.on.len(), rule.environments.len());
        policy.notices.iter().map(rule).collect()
    };
    assert_eq!(of(&[]), []);
    let operator = (Operator, "notices: [{ to: all }]");
    // Seven kinds are sent unless the list says otherwise.
    assert_eq!(of(&[operator]), [("all".to_owned(), 7, 0)]);
    let own = (Repository, "notices: [{ to: ops, on: [storm], environments: ['Prod*', eu] }]");
    assert_eq!(of(&[operator, own]), [("ops".to_owned(), 1, 2)]);
    assert_eq!(of(&[operator, (Repository, "notices: []")]), []);
    let locked = (Operator, "notices: [{ to: all }]\nlocked: [notices]");
    assert_eq!(of(&[locked, own]), [("all".to_owned(), 7, 0)]);
}

#[test]
fn every_lockable_key_locks() {
    let more = "policy_check: required\nservices: { web: { paths: web } }\nshared: Cargo.lock\nnotes: {}\ninsight: { tz: UTC }\nnotices: [{ to: ops }]";
    let everything = format!("{CONTRACT}\n{more}").replace("policy_check: optional", "#");
    for key in LOCKABLE.into_iter().chain(["gates.release", "environments.staging"]) {
        let merged = merged(&[(Operator, &format!("locked: [{key}]")), (Repository, &everything)]);
        let said: Vec<&str> = merged.notes.iter().map(|note| note.message.as_str()).collect();
        assert_eq!(said, [format!("`{key}` is locked by the operator's policy; what is said here has no effect")]);
    }
}

#[test]
fn the_version_follows_the_texts() {
    let version = |layers: &[(Rank, &str)]| merged(layers).version;
    let plain = version(&[]);
    assert_eq!(plain, built_in().version);
    assert_eq!(plain.len(), 12);
    assert_ne!(plain, version(&[(Repository, "")]));
    assert_ne!(version(&[(Operator, "mode: act")]), version(&[(Repository, "mode: act")]));
    assert_eq!(
        version(&[(Operator, "mode: act"), (Repository, "")]),
        version(&[(Repository, ""), (Operator, "mode: act")])
    );
}

#[test]
fn a_problem_between_files_points_into_the_right_one() {
    let merged = merged(&[
        (Organisation, "environments: { staging: {} }"),
        (Repository, "environments:\n  production: { after: [staging, qa] }"),
    ]);
    let problems = compile(&merged).unwrap_err();
    let seen: Vec<_> = problems.iter().map(|p| (p.file.as_str(), p.line, p.column)).collect();
    assert_eq!(seen, [("Repository", 2, 34)]);
}

#[test]
fn no_layer_below_makes_an_environment_for_pull_requests_only() {
    let below = "environments: { Production: { per: pull_request, teardown: down.yml, deploy: { via: deployment } } }";
    let merged = merged(&[(Organisation, "environments: { production: {} }"), (Repository, below)]);
    let problems = compile(&merged).unwrap_err();
    let seen: Vec<_> = problems.iter().map(|p| (p.file.as_str(), p.message.as_str())).collect();
    assert_eq!(seen, [("Repository", "a layer above describes `Production` as one environment")]);
}

#[test]
fn an_environment_for_pull_requests_may_be_described_by_several_files() {
    let whole = "environments: { preview: { per: pull_request, teardown: down.yml, deploy: { via: deployment } } }";
    let limits = "environments: { Preview: { ttl: 1d, max: 3, label: preview } }";
    let policy = compile(&merged(&[(Organisation, whole), (Repository, limits)])).unwrap();
    let made = policy.environments["preview"].per_pull.as_ref().unwrap();
    assert_eq!((made.most, made.label.as_deref(), made.teardown.as_str()), (3, Some("preview"), "down.yml"));

    let begun = "environments: { preview: { per: pull_request, teardown: down.yml } }";
    let deployed = "environments: { preview: { deploy: { via: deployment } } }";
    assert!(compile(&merged(&[(Organisation, begun), (Repository, deployed)])).is_ok());
}

#[test]
fn keys_that_do_not_fit_an_environment_for_pull_requests_are_found_in_the_file_that_has_them() {
    let seen = |above: &str, below: &str| {
        let problems = compile(&merged(&[(Organisation, above), (Repository, below)])).unwrap_err();
        problems.iter().map(|p| format!("{} {}:{} {}", p.file, p.line, p.column, p.message)).collect::<Vec<_>>()
    };
    let whole = "environments: { preview: { per: pull_request, teardown: down.yml, deploy: { via: deployment } } }";
    assert_eq!(
        seen(whole, "environments:\n  preview: { auto: { on: [tag] }, production: true }"),
        [
            "Repository 2:47 does not fit an environment with `per: pull_request`",
            "Repository 2:20 does not fit an environment with `per: pull_request`",
        ]
    );
    let begun = "environments: { preview: { per: pull_request, teardown: down.yml } }";
    assert_eq!(
        seen(begun, "environments: { other: { ttl: 1d } }"),
        ["Repository 1:31 is only for `per: pull_request`", "Organisation 1:26 `per: pull_request` needs `deploy`",]
    );
}
