//! Valid policy files.

use jiff::SignedDuration;
use phasebot_core::{
    domain::policy::{EnvironmentFilter, Evidence, EvidenceKind, Mode, Pattern, Policy},
    policy::{built_in, check_report, load},
};

/// Example from the contract, verbatim.
pub const CONTRACT: &str = include_str!("contract.yml");

fn policy(text: &str) -> Policy {
    load("p.yml", text).unwrap_or_else(|problems| panic!("{}", super::refuse::rendered(&problems)))
}

fn kinds(policy: &Policy) -> Vec<(&str, Vec<&str>)> {
    let keys = |when: &[Evidence]| when.iter().map(|e| e.kind.key()).collect();
    policy.phases.iter().map(|p| (p.name.as_str(), keys(&p.when))).collect()
}

#[test]
fn the_contracts_example_is_read_whole() {
    let policy = policy(CONTRACT);
    assert_eq!(policy.mode, Mode::Act);
    assert_eq!(
        kinds(&policy),
        [
            ("plan", vec!["issue_open"]),
            ("code", vec!["pull_request_open"]),
            ("build", vec!["pull_request_approved", "merged"]),
            ("test", vec!["checks_passed"]),
            ("operate", vec!["deployment_succeeded"]),
        ]
    );
    let test = &policy.phases[3];
    assert_eq!((test.label.as_str(), test.color.as_str(), test.line), ("phase/test", "0072B2", 9));
    assert_eq!(policy.source, "p.yml");
    let [Evidence { kind: EvidenceKind::ChecksPassed { named }, .. }] = test.when.as_slice() else {
        panic!("{test:?}")
    };
    assert!(named[0].matches("ci/unit"));
    assert!(policy.lists_branch("release/2", "trunk") && !policy.lists_branch("feature/2", "trunk"));
    assert_eq!(policy.production("Production"), Some(true));
    assert_eq!(policy.production("staging"), None);
    assert_eq!(policy.ignore.authors, ["dependabot[bot]"]);
}

#[test]
fn the_built_in_policy_is_the_contracts_table() {
    let policy = built_in();
    assert_eq!(
        kinds(&policy),
        [
            ("plan", vec!["issue_open"]),
            ("code", vec!["pull_request_open", "branch_linked"]),
            ("build", vec!["merged"]),
            ("test", vec!["checks_passed"]),
            ("release", vec!["tagged", "release_published"]),
            ("deploy", vec!["deployment_started"]),
            ("operate", vec!["deployment_succeeded"]),
            ("monitor", vec!["soaked"]),
        ]
    );
    assert_eq!((policy.source.as_str(), policy.mode), ("built-in", Mode::Label));
    assert_eq!(policy.checks.settle, SignedDuration::from_secs(60));
    let EvidenceKind::Soaked { quiet, environments } = &policy.phases[7].when[0].kind else { panic!() };
    assert_eq!(*quiet, SignedDuration::from_mins(30));
    assert_eq!(*environments, EnvironmentFilter::default());
    let mut colors: Vec<&str> = policy.phases.iter().map(|p| p.color.as_str()).collect();
    colors.sort_unstable();
    colors.dedup();
    assert_eq!(colors.len(), 8);
    let text = include_str!("../../../config/policy.default.yml");
    for phase in &policy.phases {
        assert_eq!(phase.label, format!("phase/{}", phase.name));
        assert!(!phase.description.is_empty());
        let line = text.lines().nth(phase.line as usize - 1).unwrap();
        assert_eq!(line.trim(), format!("- name: {}", phase.name));
    }
}

#[test]
fn an_empty_file_changes_nothing() {
    for text in ["", "# only a comment\n", "---\n", "{}", "phases:\nmode: ~\n"] {
        let policy = policy(text);
        assert_eq!(policy.phases, built_in().phases);
        assert_eq!(policy.source, "built-in");
        assert_eq!(policy.mode, Mode::Label);
    }
}

#[test]
fn evidence_takes_its_conditions() {
    let policy = policy(
        "phases:
  - name: one
    when:
      - branch_linked: { numeric: true, label: 'kind/*' }
      - tagged: { also: ['v*-rc.*'], branches: [main], branch: dev }
      - release_published: { prereleases: true }
      - deployment_started: { environment: Staging, environments: ['eu-*'], production: false }
      - soaked: { for: 1d12h }
      - merged
",
    );
    let when = &policy.phases[0].when;
    assert_eq!(when[0].kind, EvidenceKind::BranchLinked { numeric: true });
    assert!(when[0].labels[0].matches("kind/bug"));
    assert_eq!(when[1].branches.iter().map(Pattern::as_str).collect::<Vec<_>>(), ["dev", "main"]);
    assert_eq!(when[2].kind, EvidenceKind::ReleasePublished { prereleases: true });
    let EvidenceKind::DeploymentStarted(filter) = &when[3].kind else { panic!() };
    assert_eq!(filter.names.iter().map(Pattern::as_str).collect::<Vec<_>>(), ["staging", "eu-*"]);
    assert_eq!(filter.production, Some(false));
    let EvidenceKind::Soaked { quiet, .. } = when[4].kind else { panic!() };
    assert_eq!(quiet, SignedDuration::from_hours(36));
}

#[test]
fn an_environment_names_the_tags_that_start_a_deploy() {
    let policy = policy(
        "environments:
  Api: { auto: { on: [tag], tags: 'api/v*' } }
  web: { auto: { on: [tag, merge], tags: ['web-v*', 'web/v*'], allow_older: true } }
  docs: { auto: { on: [tag] } }
",
    );
    let auto = |name: &str| &policy.environments[name].auto;
    assert!(auto("api").takes_tag("api/v1.4.0") && !auto("api").takes_tag("web/v1.4.0"));
    assert!(auto("web").takes_tag("web-v1.0.0") && auto("web").takes_tag("web/v1.0.0"));
    assert!(!auto("web").takes_tag("v1.0.0") && auto("docs").takes_tag("v1.0.0"));
    assert!(auto("web").allow_older && !auto("docs").allow_older);
    assert_eq!(policy.environments["api"].name, "Api");
}

#[test]
fn words_stay_words_and_aliases_are_followed() {
    let policy = policy(
        "phases:
  - { name: no, when: &when [merged], color: 009E73 }
  - { name: on, when: *when, color: 000000, label: 123 }
",
    );
    let seen: Vec<_> =
        policy.phases.iter().map(|p| (p.name.as_str(), p.label.as_str(), p.color.as_str(), p.when.len())).collect();
    assert_eq!(seen, [("no", "phase/no", "009E73", 1), ("on", "123", "000000", 1)]);
}

#[test]
fn a_report_says_what_a_right_file_makes() {
    let report = check_report("p.yml", "mode: observe\nalerts: { auto_close: true }\n");
    assert!(report.valid);
    assert!(report.summary.starts_with(
        "mode observe, phases plan → code → build → test → release → deploy → operate → monitor, version "
    ));
}
