//! Changes of a policy that protect less, or may, as a pull request's check tells them.

use phasebot_core::engine::preview::{PolicyDiff, preview};

use crate::{policy_of, scenario::forge::words::start};

fn diff(old: &str, new: &str) -> PolicyDiff {
    let facts = crate::preview::facts([]);
    preview(&facts, |_| None, &policy_of(Some(old)), &policy_of(Some(new)), start(), || true).diff
}

/// Sections of a policy, the second of which protects less than the first, and the words for that.
const WEAKER: &[(&str, &str, &str)] = &[
    ("{}", "environments: { a: { deploy: { via: deployment } } }", "environment `a` added"),
    ("{}", "environments: { a: {} }", "environment `a` added"),
    (
        "gates: { r: { on: { draft: true } } }",
        "gates: { r: { on: { draft: true, tag: 'v*' } } }",
        "applies to other tags",
    ),
    ("notices: [{ to: ops }]", "notices: []", "no notices are sent to `ops` any more"),
    ("mode: act", "mode: label", "gates and deploys are switched off"),
    ("gates: { r: { on: { draft: true } } }", "gates: {}", "gate `r` removed"),
    ("gates: { r: { on: { tag: 'v*' } } }", "gates: { r: { on: { tag: 'w*' } } }", "applies to other tags"),
    ("gates: { r: {} }", "gates: { r: { publish: true } }", "publishes draft releases by itself"),
    ("{}", "gates: { r: { on: { draft: true }, publish: true } }", "it publishes draft releases by itself"),
    ("gates: { r: { report: branch } }", "gates: { r: {} }", "no longer reports on the default branch"),
    (
        "gates: { r: { require: [approval: { count: 2 }] } }",
        "gates: { r: { require: [approval: { teams: [qa] }] } }",
        "takes 1 (was 2), is for other teams",
    ),
    ("environments: { a: {} }", "environments: { a: { deploy: { via: deployment } } }", "phasebot deploys there"),
    (
        "environments: { a: { deploy: { via: deployment } } }",
        "environments: { a: { deploy: { via: workflow_dispatch, workflow: d.yml } } }",
        "the way to deploy changed",
    ),
    (
        "environments: { a: { deploy: { via: deployment, inputs: { r: { enum: [eu] } } } } }",
        "environments: { a: { deploy: { via: deployment, inputs: { r: { enum: [eu, us] } } } } }",
        "other inputs are allowed",
    ),
    (
        "environments: { a: { deploy: { via: deployment } } }",
        "environments: { a: { deploy: { via: deployment }, auto: { on: [merge] } } }",
        "phasebot deploys by itself on each merge",
    ),
    (
        "environments: { a: { deploy: { via: deployment }, auto: { on: [tag], tags: ['v1*'] } } }",
        "environments: { a: { deploy: { via: deployment }, auto: { on: [tag], tags: ['v1*', 'v2*'] } } }",
        "other tags are deployed by themselves",
    ),
    (
        "{}",
        "environments: { a: { deploy: { via: deployment }, auto: { on: [tag] } } }",
        "phasebot deploys there by itself",
    ),
    ("environments: { a: { when_busy: refuse } }", "environments: { a: {} }", "waits for its turn"),
    ("environments: { a: {} }", "environments: { a: { rollback: { last: 9 } } }", "may go back 9 deployments (was 3)"),
    ("environments: { a: {} }", "environments: { a: { rollback: { waive: [window] } } }", "need not meet `window`"),
    ("environments: { a: { production: true } }", "environments: { a: {} }", "is production if GitHub says so"),
    (
        "environments: { a: {}, b: { after: [a] } }",
        "environments: { a: {}, b: {} }",
        "no longer requires a deploy to `a`",
    ),
    (
        "environments: { a: { per: pull_request, deploy: { via: deployment }, teardown: a.yml, max: 2 } }",
        "environments: { a: { per: pull_request, deploy: { via: deployment }, teardown: a.yml, max: 9 } }",
        "the environments for pull requests changed",
    ),
    ("checks: { settle: 60s }", "checks: { settle: 10s }", "the time for checks to settle is 10s (was 1m)"),
    ("{}", "checks: { ignore: ['lint*'] }", "the checks `lint*` never count"),
    ("{}", "branches: ['next']", "commits on `next` count as merged"),
    ("{}", "services: { web: { paths: ['web/**'] } }", "service `web` added"),
    (
        "services: { web: { paths: ['web/**'] } }",
        "services: { web: { paths: ['web/src/**'] } }",
        "service `web` has other paths",
    ),
    ("shared: ['libs/**']", "shared: []", "`libs/**` no longer belong to every service"),
    ("alerts: { hold: 30s }", "alerts: { hold: 5m }", "before an alert opens an issue is 5m (was 30s)"),
    ("alerts: { grace: 10m }", "alerts: { grace: 1m }", "until an incident is over is 1m (was 10m)"),
    ("{}", "alerts: { routes: [{ match: { a: b }, environment: x }] }", "the routes of alerts changed"),
    ("{}", "alerts: { suspect_window: 2h }", "the time in which deploys are suspects is 2h (was 1h)"),
    ("{}", "alerts: { auto_close: true }", "issues of incidents close by themselves"),
    ("{}", "override: { ttl: 8h }", "the time for which an override is valid is 8h (was 2h)"),
    ("override: { never: [lock] }", "{}", "`/override` may waive `lock`"),
    ("{}", "commands: { apps: [robot] }", "the App `robot` may write commands in people's names"),
    ("{}", "commands: { permissions: { freeze: write } }", "`/freeze` is for people with write access"),
    ("policy_check: required", "{}", "`policy_check` is no longer required"),
    ("freezes: [{ environment: all, from: 12-20, until: 01-03 }]", "{}", "a freeze of `all` removed or changed"),
];

#[test]
fn what_may_protect_less_is_told_as_weaker_and_its_reverse_is_told_too() {
    for (old, new, words) in WEAKER {
        let found = diff(old, new);
        assert!(found.weaker.iter().any(|change| change.contains(words)), "{old} → {new}: {found:?}");
        assert!(!diff(new, old).is_empty(), "{new} → {old}");
        assert!(diff(old, old).is_empty() && diff(new, new).is_empty(), "{old}, {new}");
    }
}

#[test]
fn what_is_known_to_be_narrower_is_not_weaker() {
    for (old, new) in [
        ("mode: label", "mode: act"),
        ("gates: { r: { publish: true } }", "gates: { r: {} }"),
        ("gates: { r: {} }", "gates: { r: { notes: true, require: [reviews] } }"),
        ("environments: { a: { deploy: { via: deployment } } }", "environments: { a: {} }"),
        (
            "environments: { a: { deploy: { via: deployment, inputs: { r: { enum: [eu, us] } } } } }",
            "environments: { a: { deploy: { via: deployment, inputs: { r: { enum: [eu] } } } } }",
        ),
        (
            "environments: { a: { deploy: { via: deployment }, auto: { on: [merge, tag] } } }",
            "environments: { a: { deploy: { via: deployment }, auto: { on: [tag] } } }",
        ),
        (
            "environments: { a: { rollback: { last: 9, waive: [window] } } }",
            "environments: { a: { rollback: { last: 2 } } }",
        ),
        ("environments: { a: {} }", "environments: { a: { when_busy: refuse, production: true } }"),
        ("{}", "environments: { a: { require: [reviews] } }"),
        ("checks: { settle: 10s }", "checks: { settle: 60s }"),
        ("{}", "shared: ['libs/**']"),
        ("alerts: { hold: 5m, grace: 1m, suppress: 10d }", "alerts: { hold: 30s, grace: 10m, suppress: 1d }"),
        ("override: { ttl: 8h }", "override: { ttl: 2h, never: [lock], second: true }"),
        (
            "commands: { permissions: { deploy: write } }",
            "commands: { permissions: { deploy: maintain }, tz: Europe/Berlin }",
        ),
    ] {
        let found = diff(old, new);
        assert!(found.weaker.is_empty() && !found.other.is_empty(), "{old} → {new}: {found:?}");
    }
}
