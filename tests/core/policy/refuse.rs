//! Invalid policy files and their error messages.

use std::fmt::Write as _;

use phasebot_core::{
    domain::rule::Via,
    policy::{Problem, check_report, load},
};

pub fn rendered(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// Returns the messages for a text that must be rejected.
fn said(text: &str) -> String {
    match load("p.yml", text) {
        Ok(policy) => panic!("accepted: {policy:?}"),
        Err(problems) => rendered(&problems),
    }
}

/// A text that must be rejected, and whether the JSON Schema detects this.
pub struct Sample {
    pub text: &'static str,
    pub schema_too: bool,
}

const fn both(text: &'static str) -> Sample {
    Sample { text, schema_too: true }
}

const fn parser_only(text: &'static str) -> Sample {
    Sample { text, schema_too: false }
}

pub const SAMPLES: &[Sample] = &[
    both("modes: act"),
    both("mode: acting"),
    both("version: 2"),
    both("version: one"),
    both("phases: []"),
    both("phases: plan"),
    both("phases: [{ when: [merged] }]"),
    both("phases: [{ name: a, when: [] }]"),
    both("phases: [{ name: a, when: [merge] }]"),
    both("phases: [{ name: a, when: [merged: { numeric: true }] }]"),
    both("phases: [{ name: a, when: [merged: ] }]"),
    both("phases: [{ name: a, when: [{ merged: {}, tagged: {} }] }]"),
    both("phases: [{ name: a, when: [merged], color: blue }]"),
    both("phases: [{ name: a, when: [merged], color: '#0072B2' }]"),
    both("phases: [{ name: 'two words', when: [merged] }]"),
    both("phases: [{ name: auto, when: [merged] }]"),
    both("phases: [{ name: a, when: [merged], label: 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx' }]"),
    both("phases: [{ name: a, when: [soaked: { for: 30 }] }]"),
    both("phases: [{ name: a, when: [soaked: { for: 30min }] }]"),
    both("phases: [{ name: a, when: [soaked: { for: '' }] }]"),
    both("phases: [{ name: plan, paths: [api] }]"),
    both("targets: {}"),
    both("environments: { a: { per: issue } }"),
    both("environments: { a: { per: pull_request, name: preview } }"),
    parser_only("environments: { a: { label: preview } }"),
    parser_only("environments: { a: { per: pull_request, deploy: { via: deployment } } }"),
    parser_only("environments: { a: { per: pull_request, teardown: down.yml } }"),
    parser_only(
        "environments: { a: { per: pull_request, teardown: down.yml, deploy: { via: deployment }, production: true } }",
    ),
    parser_only(
        "environments: { production-1: { production: true }, \
         a: { per: pull_request, name: 'Production-{n}', teardown: down.yml, deploy: { via: deployment } } }",
    ),
    parser_only(
        "environments: { a: { per: pull_request, name: 'pr-{n}', teardown: down.yml, deploy: { via: deployment } }, \
         b: { per: pull_request, name: 'pr-1{n}', teardown: down.yml, deploy: { via: deployment } } }",
    ),
    parser_only("services: { web: { paths: 'web/**', label: phase/plan } }"),
    both("checks: { settle: 1m1h }"),
    both("branches: main"),
    both("commands: { permissions: { deploys: write } }"),
    both("commands: { permissions: { deploy: owner } }"),
    both("commands: { bare: sometimes }"),
    both("gates: { release: { require: [blockers] } }"),
    both("gates: { release: { require: [lock: { x: 1 }] } }"),
    both("gates: { release: { require: [approval: { count: 0 }] } }"),
    both("gates: { release: { require: [window: { allow: [] }] } }"),
    both("gates: { release: { require: [window: { allow: ['Mo 09:00-10:00'] }] } }"),
    both("environments: { p: { deploy: { via: ssh } } }"),
    both("environments: { p: { deploy: { workflow: x } } }"),
    both("environments: { p: { auto: { tags: 'v*' } } }"),
    both("environments: { p: { auto: { on: [tag], tags: [] } } }"),
    both("environments: { p: { auto: { on: [tag], tags: { v: 1 } } } }"),
    both("environments: { p: { auto: { on: [tag], tags: '' } } }"),
    both("environments: { p: { auto: { on: [tag], allow_older: perhaps } } }"),
    parser_only("environments: { p: { auto: { on: [merge], tags: 'v*' } } }"),
    parser_only("environments: { p: { auto: { on: [tag], tags: ['v*', '['] } } }"),
    both("environments: { p: { rollback: { waive: [everything] } } }"),
    both("override: { ttl: soon }"),
    both("freezes: [{ environment: all, from: christmas, until: 01-03 }]"),
    both("alerts: { storm: { issues: 1000 } }"),
    parser_only("phases: [{ name: a, when: [merged] }, { name: A, when: [tagged] }]"),
    parser_only("phases: [{ name: a, when: [merged], label: x }, { name: b, when: [tagged], label: X }]"),
    parser_only("phases: [{ name: a, when: [merged], label: phase/b }, { name: b, when: [tagged] }]"),
    parser_only("phases: [{ name: new }]"),
    parser_only("branches: ['[']"),
    parser_only("gates: { release: { require: [window: { allow: ['Mon 09:00-10:00'], tz: Europe/Berlim }] } }"),
    parser_only("gates: { release: { require: [window: { allow: ['Mon 09:00-29:00'] }] } }"),
    parser_only("gates: { release: { require: [any: []] } }"),
    parser_only("environments: { production: { after: [staging] } }"),
    parser_only("environments: { a: { after: [b] }, b: { after: [a] } }"),
    parser_only("environments: { a: {}, A: {} }"),
    parser_only("environments: { a: { deploy: { via: workflow_dispatch } } }"),
    parser_only("freezes: [{ environment: all, from: 02-30, until: 03-03 }]"),
    parser_only("freezes: [{ environment: all, from: 2026-12-20, until: 2026-01-03 }]"),
    parser_only("freezes: [{ environment: all, from: 2026-12-20, until: 01-03 }]"),
    both("notices: { ops: {} }"),
    both("notices: [{ on: [storm] }]"),
    both("notices: [{ to: Ops }]"),
    both("notices: [{ to: '' }]"),
    both("notices: [{ to: ops, on: [] }]"),
    both("notices: [{ to: ops, on: [deploy_fails] }]"),
    both("notices: [{ to: ops, channel: general }]"),
    parser_only("notices: [{ to: ops, environments: '[' }]"),
    parser_only("locked: [everything]"),
    both("environments: { p: { deploy: { via: workflow_dispatch, workflow: deploy } } }"),
    both("environments: { p: { deploy: { via: workflow_dispatch, workflow: ci/deploy.yml } } }"),
    parser_only("environments: { prod: {} }\nfreezes: [{ environment: production, from: 12-20, until: 01-03 }]"),
    parser_only("environments: { prod: {} }\ngates: { release: { require: [deployed: { environment: stagin }] } }"),
    parser_only("environments: { prod: {} }\ngates: { release: { require: [alerts: { environment: stagin }] } }"),
    parser_only("environments: { prod: { require: [any: [not: { deployed: { environment: Prod } }]] } }"),
    parser_only("environments: { prod: {} }\nalerts: { environment: stagin }"),
    parser_only("environments: { prod: {} }\nalerts: { routes: [{ match: { a: b }, environment: stagin }] }"),
    parser_only("freezes: [{ environment: all, from: 2026-12-20T18:00, until: 2026-12-20T18:00 }]"),
    parser_only("freezes: [{ environment: all, from: 2026-12-20, until: 2026-12-20T00:00 }]"),
];

#[test]
fn an_environment_that_is_not_there_names_the_nearest() {
    assert_eq!(
        said("environments: { staging: {} }\ngates:\n  release: { require: [deployed: { environment: stagin }] }\n"),
        "p.yml:3:49: no environment is called `stagin`
  3 |   release: { require: [deployed: { environment: stagin }] }
    |                                                 ^^^^^^ did you mean `staging`?"
    );
    assert_eq!(
        said("environments: { prod: {} }\nfreezes:\n  - { environment: prd, from: 12-20, until: 01-03 }\n"),
        "p.yml:3:20: no environment is called `prd`
  3 |   - { environment: prd, from: 12-20, until: 01-03 }
    |                    ^^^ did you mean `prod`?"
    );
}

#[test]
fn an_environment_does_not_wait_for_itself() {
    assert_eq!(
        said("environments:\n  prod: { require: [any: [deployed: { environment: Prod }, alerts]] }\n"),
        "p.yml:2:52: `prod` would have to run before itself
  2 |   prod: { require: [any: [deployed: { environment: Prod }, alerts]] }
    |                                                    ^^^^"
    );
}

#[test]
fn a_workflow_is_a_file_name() {
    let file = |workflow: &str| {
        format!("environments: {{ p: {{ deploy: {{ via: workflow_dispatch, workflow: {workflow} }} }} }}")
    };
    assert_eq!(
        said(&file("deploy")),
        "p.yml:1:66: `deploy` is no file name of `.github/workflows`; did you mean `deploy.yml`?
  1 | environments: { p: { deploy: { via: workflow_dispatch, workflow: deploy } } }
    |                                                                  ^^^^^^"
    );
    assert!(said(&file("ci/deploy.yaml")).contains("did you mean `deploy.yaml`?"));
    for workflow in ["deploy.yml", ".github/workflows/deploy.yml", "./.github/workflows/deploy.yml"] {
        let policy = load("p.yml", &file(workflow)).unwrap_or_else(|problems| panic!("{}", rendered(&problems)));
        let via = policy.environments["p"].deploy.as_ref().map(|deploy| deploy.via.clone());
        assert_eq!(via, Some(Via::Workflow { file: "deploy.yml".into() }), "{workflow}");
    }
}

#[test]
fn a_freeze_of_one_day_is_none_that_is_empty() {
    for (from, until) in [("2026-12-20", "2026-12-20"), ("2026-12-20T18:00", "2026-12-20"), ("12-24", "12-24")] {
        let text = format!("freezes: [{{ environment: all, from: {from}, until: {until} }}]");
        assert!(load("p.yml", &text).is_ok(), "{text}");
    }
    let empty = said("freezes: [{ environment: all, from: 2026-12-20T18:00, until: 2026-12-20T18:00 }]");
    assert!(empty.starts_with("p.yml:1:62: the freeze is empty: it ends when it begins"), "{empty}");
}

/// A policy that describes no environment may name those of the forge.
#[test]
fn the_forges_environments_can_be_named() {
    let text = "gates: { release: { require: [deployed: { environment: staging }] } }\nalerts: { environment: live }\n";
    assert!(load("p.yml", text).is_ok());
    let report = check_report("p.yml", "freezes: [{ environment: live, from: 12-20, until: 01-03 }]");
    assert!(report.valid);
    assert_eq!(
        report.to_string(),
        "p.yml:1:26: warning: nothing is deployed to `live`: `environments` describes none
  1 | freezes: [{ environment: live, from: 12-20, until: 01-03 }]
    |                          ^^^^
"
        .to_owned()
            + &report.to_string()[report.to_string().find("p.yml: valid").unwrap()..]
    );
}

#[test]
fn globs_that_are_probably_something_else_are_warned_of() {
    let text = "branches: ['^release/.*$', main]\ngates: { release: { on: { tag: “v*” }, require: [checks: { named: ['build.*'] }] } }\n\
                environments: { p: { deploy: { via: deployment }, auto: { on: [tag], tags: '^v1' } } }\n";
    let report = check_report("p.yml", text);
    assert!(report.valid, "{report}");
    let warned: Vec<(u32, u32)> = report.warnings.iter().map(|warning| (warning.line, warning.column)).collect();
    assert_eq!(warned, [(1, 12), (2, 32), (3, 76)], "{report}");
    let shown = report.to_string();
    assert!(shown.contains("p.yml:1:12: warning: `^release/.*$` looks like a regular expression"), "{shown}");
    assert!(shown.contains("p.yml:2:32: warning: the quote `“` is part of the glob"), "{shown}");
}

#[test]
fn every_problem_is_counted() {
    let mut text = "phases:\n".to_owned();
    for n in 0..40 {
        let _ = writeln!(text, "  - {{ name: 'two words {n}', when: [merged], colour: x, label: '' }}");
    }
    let report = check_report("p.yml", &text);
    assert_eq!(report.problems.len(), 120, "{report}");
    assert!(report.to_string().ends_with("p.yml: 120 problems\n"));
}

#[test]
fn an_unknown_key_names_the_nearest() {
    assert_eq!(
        said("version: 1\nphases:\n  - name: plan\n    colour: F0E442\n"),
        "p.yml:4:5: unknown key `colour`
  4 |     colour: F0E442
    |     ^^^^^^ did you mean `color`?"
    );
}

#[test]
fn an_unknown_key_like_no_other_gets_the_list() {
    assert_eq!(
        said("checks: { xyz: 1 }"),
        "p.yml:1:11: unknown key `xyz`; known here: `ignore`, `settle`
  1 | checks: { xyz: 1 }
    |           ^^^"
    );
}

#[test]
fn an_unknown_value_names_the_nearest() {
    assert_eq!(
        said("mode: lable\nphases:\n  - { name: test, when: [checks-passed] }\n"),
        "p.yml:1:7: unknown value `lable`
  1 | mode: lable
    |       ^^^^^ did you mean `label`?
p.yml:3:26: unknown value `checks-passed`
  3 |   - { name: test, when: [checks-passed] }
    |                          ^^^^^^^^^^^^^ did you mean `checks_passed`?"
    );
}

#[test]
fn everything_wrong_is_said_at_once_in_the_order_of_the_file() {
    assert_eq!(
        said(
            "mode: off
phases:
  - name: plan
    color: red
  - when: [merged]
  - name: test
    when:
      - checks_passed:
        named: [ci]
branch: [main]
checks:
  settle: 1 minute
"
        ),
        "p.yml:1:7: unknown value `off`; known here: `observe`, `label`, `act`
  1 | mode: off
    |       ^^^
p.yml:4:12: a colour is six hex digits, such as `0072B2`
  4 |     color: red
    |            ^^^
p.yml:5:5: missing key `name`
  5 |   - when: [merged]
    |     ^
p.yml:8:9: expected one key, found 2: indent what belongs to `checks_passed` under it, or start another list entry
  8 |       - checks_passed:
    |         ^
p.yml:10:1: unknown key `branch`
  10 | branch: [main]
     | ^^^^^^ did you mean `branches`?
p.yml:12:11: a duration is written like `60s`, `30m`, `2h` or `1d12h`
  12 |   settle: 1 minute
     |           ^^^^^^^^"
    );
}

#[test]
fn what_only_follows_from_a_mistake_is_not_said() {
    assert_eq!(
        said("phases: [{ name: 'a b', when: [merged] }]"),
        "p.yml:1:18: a phase's name is a word of letters, digits, `-` and `_`
  1 | phases: [{ name: 'a b', when: [merged] }]
    |                  ^^^^^"
    );
}

#[test]
fn a_syntax_error_is_said_alone() {
    assert_eq!(
        said("mode: [label\nphasen: 1\n"),
        "p.yml:2:7: illegal placement of ':' indicator
  2 | phasen: 1
    |       ^"
    );
}

#[test]
fn duplicates_are_found() {
    assert_eq!(
        said("mode: label\nmode: act\n"),
        "p.yml:2:1: key `mode` stands twice; first in line 1
  2 | mode: act
    | ^^^^"
    );
    assert_eq!(
        said("phases:\n  - { name: a, when: [merged] }\n  - { name: A, when: [tagged] }\n"),
        "p.yml:3:13: phase `A` stands twice; first in line 2
  3 |   - { name: A, when: [tagged] }
    |             ^"
    );
    assert_eq!(
        said("phases:\n  - { name: a, when: [merged] }\n  - { name: b, when: [tagged], label: phase/A }\n"),
        "p.yml:3:5: phases `a` and `b` would have one label, `phase/A`
  3 |   - { name: b, when: [tagged], label: phase/A }
    |     ^"
    );
}

#[test]
fn an_environment_that_nobody_describes_is_found() {
    assert_eq!(
        said("environments:\n  staging: {}\n  production:\n    after: [stagign]\n"),
        "p.yml:4:13: no environment is called `stagign`
  4 |     after: [stagign]
    |             ^^^^^^^ did you mean `staging`?"
    );
}

#[test]
fn targets_by_path_are_refused_in_their_own_words() {
    assert_eq!(
        said("targets:\n  api: { paths: ['api/**'] }\n"),
        "p.yml:1:1: `targets`: there are no targets by path within a repository
  1 | targets:
    | ^^^^^^^"
    );
}

#[test]
fn a_bare_word_that_needs_settings_says_so() {
    assert_eq!(
        said("gates: { release: { require: [blockers] } }"),
        "p.yml:1:31: `blockers` needs `label`, `milestone` or both
  1 | gates: { release: { require: [blockers] } }
    |                               ^^^^^^^^"
    );
    assert_eq!(
        said("commands: { permissions: { deploy: teams } }"),
        "p.yml:1:36: `teams` needs a value
  1 | commands: { permissions: { deploy: teams } }
    |                                    ^^^^^"
    );
}

#[test]
fn numbers_words_and_zones() {
    assert_eq!(
        said("alerts: { storm: { issues: 1000 } }"),
        "p.yml:1:28: `1000` is out of range
  1 | alerts: { storm: { issues: 1000 } }
    |                            ^^^^"
    );
    assert_eq!(
        said("gates: { r: { require: [window: { allow: ['Mon 09:00-10:00'], tz: Europe/Berlim }] } }"),
        "p.yml:1:67: no time zone of the IANA database; did you mean `Europe/Berlin`?
  1 | gates: { r: { require: [window: { allow: ['Mon 09:00-10:00'], tz: Europe/Berlim }] } }
    |                                                                   ^^^^^^^^^^^^^"
    );
    let label = "x".repeat(51);
    assert_eq!(
        said(&format!("phases:\n- name: plan\n  label: {label}\n  description: {}", "y".repeat(101))),
        format!(
            "p.yml:3:10: a label has at most 50 characters; this has 51
  3 |   label: {label}
    |          {}
p.yml:4:16: a description has at most 100 characters; this has 101
  4 |   description: {}
    |                {}",
            "^".repeat(51),
            "y".repeat(85),
            "^".repeat(85)
        )
    );
}

#[test]
fn the_report_counts() {
    assert_eq!(
        check_report("p.yml", "mod: act").to_string(),
        "p.yml:1:1: unknown key `mod`
  1 | mod: act
    | ^^^ did you mean `mode`?
p.yml: 1 problem
"
    );
}

#[test]
fn every_mistake_is_shown_at_once() {
    let text = "\
mode: atc
phases:
  - { name: plan, when: [isue_open] }
environments:
  staging: { deploy: { via: workflow_dispach } }
  production:
    after: [stagign]
    require: [chekcs: {}, deployed: { environment: stagin }, window: { allow: [] }]
";
    let report = check_report("p.yml", text);
    let lines: Vec<String> = report.problems.iter().map(|p| format!("{}:{} {}", p.line, p.column, p.message)).collect();
    // What was left out for a mistake is not missed besides.
    assert_eq!(
        lines,
        [
            "1:7 unknown value `atc`",
            "3:26 unknown value `isue_open`",
            "5:29 unknown value `workflow_dispach`",
            "7:13 no environment is called `stagign`",
            "8:15 unknown value `chekcs`",
            "8:52 no environment is called `stagin`",
            "8:79 a window that is never open lets nothing pass",
        ]
    );
    assert!(report.problems.iter().take(6).all(|p| p.suggestion.is_some()), "{report}");
}

#[test]
fn a_misspelled_key_makes_no_further_mistakes() {
    let report = check_report("p.yml", "enviroments: { staging: {} }\nalerts: { environment: staging }\n");
    assert_eq!(report.problems.len(), 1, "{report}");
    let with_more = "enviroments: { staging: {} }\nenvironments: { b: {} }\nalerts: { environment: staging }\n";
    assert_eq!(check_report("p.yml", with_more).problems.len(), 1);
    let another = "phasess: []\nenvironments: { b: {} }\nalerts: { environment: staging }\n";
    assert_eq!(check_report("p.yml", another).problems.len(), 2, "only a lost `environments` hides names");
}

#[test]
fn a_name_without_a_likeness_lists_what_is_known() {
    let report = check_report("p.yml", "environments: { staging: {}, prod: {} }\nalerts: { environment: elsewhere }\n");
    assert_eq!(report.problems[0].message, "no environment is called `elsewhere`; known here: `prod`, `staging`");
}
