//! Files that are wrong, and what is said of them.

use phasebot::policy::{Problem, check_report, load};

pub fn rendered(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// What is said of a text that must be refused.
fn said(text: &str) -> String {
    match load("p.yml", text) {
        Ok(policy) => panic!("accepted: {policy:?}"),
        Err(problems) => rendered(&problems),
    }
}

/// A text that must be refused, and whether the JSON Schema can tell.
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
    parser_only("locked: [everything]"),
];

#[test]
fn samples_print() {
    for s in SAMPLES {
        match load("p.yml", s.text) {
            Ok(_) => println!("ACCEPTED {}", s.text),
            Err(p) => println!("{}\n", rendered(&p)),
        }
    }
    let _ = check_report("x", "");
    let _ = said("x: 1");
}
