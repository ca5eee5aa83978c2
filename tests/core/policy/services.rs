//! Services in policy files.

use phasebot_core::{
    domain::service::Scope,
    policy::{Layer, Rank, check_report, compile, load, merge, parse},
};

#[test]
fn a_layer_below_widens_no_claim() {
    let layer = |rank, text| Layer { rank, parsed: parse("p.yml", text).unwrap() };
    let above =
        layer(Rank::Organisation, "services: { web: { paths: 'apps/web/**', tags: 'web-v*' } }\nshared: Cargo.lock");
    let below = layer(
        Rank::Repository,
        "services: { web: { paths: '**', environments: web-prod }, api: { paths: 'api/**' } }\nshared: '**'",
    );
    let policy = compile(&merge(&[above, below])).unwrap();
    assert_eq!(policy.touched(["docs/a"].into_iter()).len(), 0);
    assert_eq!(policy.touched(["apps/web/a", "x"].into_iter()).into_iter().collect::<Vec<_>>(), ["web"]);
    assert_eq!(policy.touched(["Cargo.lock"].into_iter()).len(), 2);
    assert_eq!(policy.scope_of_environment("web-prod"), Scope::Service("web"), "a missing key may be added");
    assert_eq!(policy.scope_of_tag("web-v1.0.0"), Scope::Service("web"));
    assert_eq!(policy.scope_of_tag("v1.0.0"), Scope::Unclaimed);
    assert!(policy.scope_takes_tag(Scope::Service("api"), "v1.0.0"), "no tags of its own: those that nobody claims");
    assert!(!policy.scope_takes_tag(Scope::Service("api"), "web-v1.0.0"));
}

#[test]
fn without_services_everything_is_one() {
    let policy = load("p.yml", "mode: act").unwrap();
    assert_eq!(policy.scope_of_environment("production"), Scope::Everything);
    assert!(policy.scope_takes_tag(Scope::Everything, "web-v1.0.0"));
}

#[test]
fn what_two_services_claim_is_warned_of() {
    let text = "services:
  api: { paths: 'api/**', environments: 'prod-*' }
  web: { paths: ['web/**', 'api/**'], environments: prod-web }
environments: { Prod-Web: {}, prod-api: {} }";
    let shown = check_report("p.yml", text).to_string();
    assert!(shown.contains("p.yml:3:17: warning: `api/**` also belongs to `api`"), "{shown}");
    assert!(shown.contains("warning: environment `Prod-Web` belongs to `api`, which also claims it"), "{shown}");
    assert!(!shown.contains("prod-api"), "{shown}");
}

#[test]
fn a_key_that_no_service_has_is_refused() {
    let shown = check_report("p.yml", "services: { web: { path: 'web/**' } }").to_string();
    assert!(shown.contains("did you mean `paths`?"), "{shown}");
}
