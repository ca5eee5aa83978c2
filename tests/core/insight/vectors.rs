//! Vectors of delivery: deployments, changes, failures, recovery.

use jiff::{Timestamp, civil::date, tz::TimeZone};
use phasebot_core::insight::{
    Query, Step, Window, figures,
    figures::Weight,
    row::{DeploymentKind, FailureReason},
    series,
};

use super::played::{at, merges, play, shipped};

#[test]
fn vector_01_the_median_pools_all_values() {
    let played = play(&shipped(&[
        (1, "08:00", "08:01"),
        (2, "09:00", "09:01"),
        (3, "10:00", "10:01"),
        (4, "1d10:00", "1d10:09"),
    ]));
    let all = played.figures().lead_time.all.unwrap();
    assert_eq!((all.n, all.p50), (4, 60), "not the median of the days' medians, which is 5 minutes");
}

/// An alert of production that fires from one time until another.
fn alert(name: &str, from: &str, until: &str) -> String {
    format!("{from} alert prod {name} a=firing labels env=production\n{until} alert prod {name} a=over\n")
}

#[test]
fn vector_02_failed_deployments_are_counted_and_not_incidents() {
    let text = merges(2)
        + "01:00 deploy 1 production of c1 success\n\
           01:05 alert prod cart a=firing labels env=production\n\
           01:06 alert prod pay a=firing labels env=production\n\
           01:07 alert prod find a=firing labels env=production\n\
           01:30 alert prod cart a=over\n01:31 alert prod pay a=over\n01:32 alert prod find a=over\n\
           1d01:00 deploy 2 production of c2 success\n1d02:00 tick\n";
    let rate = play(&text).figures().change_fail_rate;
    assert_eq!((rate.share.part, rate.share.n, rate.percent), (1, 2, Some(50.0)));
}

#[test]
fn vector_03_edits_of_an_incident_add_no_failure() {
    let mut text = merges(1) + "01:00 deploy 1 production of c1 success\n";
    for minute in 5..10 {
        let edited = format!("01:{minute:02} alert prod cart a=firing labels env=production title Edit{minute}\n");
        text.push_str(&edited);
    }
    text += "01:30 alert prod cart a=over\n02:30 tick\n";
    let played = play(&text);
    assert_eq!((played.failed(), played.figures().incidents.count), (vec![1], 1));
}

#[test]
fn vector_04_no_incident_is_no_recovery_time() {
    let recovery = play(&(merges(1) + "01:00 deploy 1 production of c1 success\n")).figures().recovery_time;
    assert_eq!((recovery.all, recovery.open_since), (None, vec![]));
}

#[test]
fn vector_05_no_deployment_is_no_fail_rate() {
    let figures = play(&merges(1)).figures();
    assert_eq!((figures.change_fail_rate.share.n, figures.change_fail_rate.percent), (0, None));
    assert_eq!((figures.rework_rate.percent, figures.lead_time.all), (None, None));
}

#[test]
fn vector_06_weeks_without_a_deployment_count() {
    let played = play(&shipped(&[(1, "08:00", "09:00"), (2, "7d08:00", "7d09:00"), (3, "21d08:00", "21d09:00")]));
    let window = Window::days(date(2026, 3, 2), date(2026, 3, 30), &TimeZone::UTC);
    let query = Query::new(window, played.now);
    let weeks: Vec<usize> =
        series(&played.rows, &query, Step::Week).iter().map(|week| week.deployment_frequency.count).collect();
    assert_eq!(weeks, [1, 1, 0, 1]);
    let per_week = figures(&played.rows, &query).deployment_frequency.per_day.unwrap() * 7.0;
    assert!((per_week - 0.75).abs() < 1e-9, "{per_week}");
}

#[test]
fn vector_07_nine_in_thirty_days() {
    let days: Vec<(u64, String, String)> =
        (0..9).map(|n| (n + 1, format!("{}d08:00", 3 * n), format!("{}d09:00", 3 * n))).collect();
    let list: Vec<(u64, &str, &str)> = days.iter().map(|(n, from, to)| (*n, from.as_str(), to.as_str())).collect();
    let figures = play(&shipped(&list)).figures();
    let frequency = figures.deployment_frequency;
    assert_eq!((frequency.count, figures.basis.whole_days, frequency.days_with), (9, 30, 9));
    assert!((frequency.per_day.unwrap() - 0.30).abs() < 1e-9);
}

#[test]
fn vector_08_count_and_rate_have_names_of_their_own() {
    let figures =
        play(&shipped(&[(1, "08:00", "09:00"), (2, "1d08:00", "1d09:00"), (3, "2d08:00", "2d09:00")])).figures();
    let shown = serde_json::to_value(&figures.deployment_frequency).unwrap();
    assert_eq!((shown["count"].as_u64(), shown["per_day"].as_f64()), (Some(3), Some(0.1)));
}

#[test]
fn vector_12_lead_time_starts_at_the_first_commit() {
    let text = "00:00 push main c0\n\
                09:30 push topic1 h1 from c0 committed 09:00\n\
                1d08:00 pull 1 opened by ann head topic1 at h1\n\
                2d09:00 push main c1\n2d09:00 pull 1 merged by ann as c1\n\
                2d10:00 deploy 1 production of c1 success\n";
    let played = play(text);
    assert_eq!(played.lead("#1"), Some(49 * 60));
    let parts = played.change("#1").unwrap().parts();
    let hours = [parts.coding, parts.review, parts.waiting, parts.deploying].map(|part| part / 3600);
    assert_eq!(hours, [23, 25, 1, 0]);
}

#[test]
fn vector_13_by_change_and_by_commit() {
    let many: Vec<String> = (0..100).map(|n| format!("x{n}")).collect();
    let text = format!(
        "00:00 push main c0\n\
         08:00 push topic1 h1 from c0\n08:00 pull 1 opened by ann head topic1 at h1\n\
         08:00 push topic2 h2 from c0\n08:00 pull 2 opened by ann head topic2 at h2\n\
         08:00 push topic3 {} from c0\n08:00 pull 3 opened by ann head topic3 at x99\n\
         08:05 push main c1\n08:05 pull 1 merged by ann as c1\n08:05 deploy 1 production of c1 success\n\
         08:07 push main c2\n08:07 pull 2 merged by ann as c2\n08:07 deploy 2 production of c2 success\n\
         08:50 push main c3\n08:50 pull 3 merged by ann as c3\n08:50 deploy 3 production of c3 success\n",
        many.join(" ")
    );
    let played = play(&text);
    let median = |weight| figures(&played.rows, &Query { weight, ..played.query() }).lead_time.all.unwrap().p50 / 60;
    assert_eq!((median(Weight::Change), median(Weight::Commit)), (7, 50));
}

#[test]
fn vector_14_a_squash_keeps_the_first_commit() {
    let text = "00:00 push main c0\n\
                08:00 push topic1 h1 h2 h3 from c0 committed 07:00\n\
                09:00 pull 1 opened by ann head topic1 at h3\n\
                10:00 push main squashed\n10:00 pull 1 merged by ann as squashed\n\
                11:00 deploy 1 production of squashed success\n";
    let played = play(text);
    assert_eq!((played.lead("#1"), played.change("#1").unwrap().has_first_commit), (Some(240), true));
}

#[test]
fn vector_15_a_rebase_does_not_reset_the_start() {
    let text = "00:00 push main c0\n\
                08:00 push topic1 h1 from c0\n\
                08:30 pull 1 opened by ann head topic1 at h1\n\
                10:00 push main c1\n\
                11:00 force-push topic1 h2 from c1\n11:00 pull 1 synchronize as h2 by ann\n\
                12:00 push main c2\n12:00 pull 1 merged by ann as c2\n\
                13:00 deploy 1 production of c2 success\n";
    assert_eq!(play(text).lead("#1"), Some(300));
}

#[test]
fn vector_16_a_first_commit_after_the_merge_starts_at_the_opening() {
    let text = "00:00 push main c0\n\
                00:00 pull 1 opened by ann head topic1\n\
                1d00:00 push main c1\n1d00:00 pull 1 merged by ann as c1\n\
                1d01:00 push topic1 h9 from c0\n\
                1d02:38 deploy 1 production of c1 success\n";
    assert_eq!(play(text).lead("#1"), Some(1598));
}

#[test]
fn vector_17_deployed_before_it_was_merged() {
    let text = "00:00 push main c0\n\
                00:00 pull 1 opened by ann head topic1\n\
                6d02:00 push main c1\n\
                6d02:39 deploy 1 production of c1 success\n\
                7d02:03 pull 1 merged by ann as c1\n";
    let played = play(text);
    let row = played.change("#1").unwrap();
    assert_eq!((row.lead_time() / 60, row.before_merge), (8799, true));
    let parts = row.parts();
    let parts = [parts.coding, parts.review, parts.waiting, parts.deploying];
    assert!(parts.iter().all(|part| *part >= 0) && parts.iter().sum::<i64>() == row.lead_time(), "{parts:?}");
    assert_eq!(played.figures().lead_time.before_merge, 1);
}

#[test]
fn vector_18_an_undeployed_change_has_no_lead_time() {
    let played = play(&(merges(2) + "01:00 deploy 1 production of c1 success\n"));
    assert_eq!((played.lead("#1"), played.lead("#2")), (Some(59), None));
    assert_eq!(played.figures().lead_time.all.unwrap().n, 1);
}

#[test]
fn vector_19_the_first_deployment_brings_what_was_merged_since_our_record() {
    let text = "00:00 push main c0\n\
                08:00 pull 9 opened by ann head topic9 unseen\n\
                09:00 push main c9\n09:00 pull 9 merged by ann as c9 unseen\n\
                12:00 pull 9 labeled late by ann\n\
                12:10 pull 10 opened by ann head topic10\n\
                12:30 push main c10\n12:30 pull 10 merged by ann as c10\n\
                13:00 deploy 1 production of c10 success\n";
    let played = play(text);
    assert_eq!((played.lead("#9"), played.lead("#10")), (None, Some(50)));
    assert_eq!(played.deployment(1).brought, 1);
}

#[test]
fn vector_20_a_later_deployment_of_an_older_commit_brings_nothing() {
    let text = "00:00 push main c0 c1\n\
                09:00 pull 1 opened by ann head topic1\n\
                10:00 push main c2\n10:00 pull 1 merged by ann as c2\n\
                10:05 deploy 1 production of c1 success\n";
    assert_eq!(play(text).lead("#1"), None);
}

#[test]
fn vector_21_several_pull_requests_in_one_deployment() {
    let played = play(&(merges(3) + "01:00 deploy 1 production of c3 success\n"));
    assert_eq!([played.lead("#1"), played.lead("#2"), played.lead("#3")], [Some(59), Some(57), Some(55)]);
    assert_eq!((played.figures().lead_time.all.unwrap().n, played.deployment(1).brought), (3, 3));
}

#[test]
fn vector_22_a_change_may_be_older_than_the_window() {
    let played = play(&shipped(&[(1, "00:00", "88d00:00")]));
    let window = Window::days(date(2026, 5, 20), date(2026, 6, 7), &TimeZone::UTC);
    assert_eq!(window.whole_days(None), 18);
    let all = figures(&played.rows, &Query::new(window, played.now)).lead_time.all.unwrap();
    assert_eq!((all.n, all.p50), (1, 88 * 24 * 60 * 60));
}

#[test]
fn vector_23_a_promotion_is_no_change() {
    let text = "| branches: [stage]\n\
                00:00 push main c0\n00:01 push stage s0 from c0\n\
                09:00 pull 1 opened by ann head topic1 base stage\n\
                10:00 push stage s1\n10:00 pull 1 merged by ann as s1\n\
                11:00 pull 2 opened by ann head stage base main at s1\n\
                12:00 push main merge:s1 m1\n12:00 pull 2 merged by ann as m1\n\
                13:00 deploy 1 production of m1 success\n";
    let played = play(text);
    assert_eq!((played.lead("#1"), played.lead("#2")), (Some(240), None));
    assert_eq!((played.figures().lead_time.all.unwrap().n, played.deployment(1).brought), (1, 1));
}

#[test]
fn vector_24_merging_main_into_the_branch_does_not_move_the_start() {
    let text = "00:00 push main c0\n\
                08:00 push main x1 committed 01:00\n\
                09:00 push topic1 h1 from c0\n\
                09:10 pull 1 opened by ann head topic1 at h1\n\
                10:00 push topic1 merge:x1 h2\n10:00 pull 1 synchronize as h2 by ann\n\
                11:00 push main c1\n11:00 pull 1 merged by ann as c1\n\
                12:00 deploy 1 production of c1 success\n";
    assert_eq!(play(text).lead("#1"), Some(180));
}

#[test]
fn vector_25_a_b_a_b() {
    let played = play(
        &(merges(2)
            + "01:00 deploy 1 production of c1 success\n\
               02:00 deploy 2 production of c2 success\n\
               03:00 deploy 3 production of c1 success\n\
               04:00 deploy 4 production of c2 success\n"),
    );
    let figures = played.figures();
    let frequency = figures.deployment_frequency;
    assert_eq!((frequency.count, frequency.rollbacks, frequency.redeploys), (3, 1, 0));
    assert_eq!(figures.lead_time.all.unwrap().n, 2, "no second value");
    assert_eq!(played.change("#2").unwrap().live, at("02:00"));
    assert_eq!(played.failed(), [2], "the one that was rolled back");
}

#[test]
fn vector_26_a_redeploy_is_no_deployment() {
    let text = merges(1) + "01:00 deploy 1 production of c1 success\n02:00 deploy 2 production of c1 success\n";
    let frequency = play(&text).figures().deployment_frequency;
    assert_eq!((frequency.count, frequency.redeploys), (1, 1));
}

/// V1 → V2 → V3 → V1.
const THREE_AND_BACK: &str = "01:00 deploy 1 production of c1 success\n\
    02:00 deploy 2 production of c2 success\n\
    03:00 deploy 3 production of c3 success\n\
    03:10 alert prod cart a=firing labels env=production\n\
    03:20 tick\n";

#[test]
fn vector_27_a_rollback_blames_the_first_one_after_its_target() {
    let back = "04:00 deploy 4 production of c1 success\n05:00 tick\n";
    let plain = play(&(merges(3) + &THREE_AND_BACK.replace("03:10 alert", "# ") + back));
    assert_eq!(plain.failed(), [2]);
    assert_eq!(plain.deployment(2).failures, [FailureReason::RolledBack(4)]);
    let cause = "03:30 comment on 50 by tri\n: /cause 6333000\n";
    let moved = play(&(format!("roles tri=triage\n{}", merges(3)) + THREE_AND_BACK + cause + back));
    assert_eq!(moved.failed(), [3], "{:?}", moved.rows.deployments);
    let none = cause.replace("6333000", "none");
    let cleared = play(&(format!("roles tri=triage\n{}", merges(3)) + THREE_AND_BACK + &none + back));
    assert_eq!(cleared.failed(), Vec::<u64>::new());
}

#[test]
fn vector_28_a_rollback_shows_in_the_graph() {
    let text = merges(2) + "01:00 deploy 1 production of c2 success\n02:00 deploy 2 production of c1 success\n";
    let played = play(&text);
    assert_eq!(played.deployment(2).kind, DeploymentKind::Rollback);
    assert_eq!(played.figures().rework_rate.share.part, 1);
}

#[test]
fn vector_29_a_revert_beside_its_original_is_no_failure() {
    let text = merges(1)
        + "01:00 pull 2 opened by ann head topic2 body \"Reverts #1\"\n\
           01:10 push main c2\n01:10 pull 2 merged by ann as c2\n\
           02:00 deploy 1 production of c2 success\n2d02:00 tick\n";
    let played = play(&text);
    assert_eq!((played.failed(), played.figures().rework_rate.share.part), (vec![], 0));
}

#[test]
fn vector_29_a_revert_that_follows_is_a_failure_and_rework() {
    let text = merges(1)
        + "00:30 deploy 1 production of c1 success\n\
           01:00 pull 2 opened by ann head topic2 body \"Reverts #1\"\n\
           01:10 push main c2\n01:10 pull 2 merged by ann as c2\n\
           02:00 deploy 2 production of c2 success\n2d02:00 tick\n";
    let played = play(&text);
    assert_eq!(played.failed(), [1]);
    assert_eq!(played.deployment(1).failures, [FailureReason::Reverted(2)]);
    let figures = played.figures();
    assert_eq!((figures.rework_rate.share.part, figures.rework_rate.share.n), (1, 2));
    assert_eq!(figures.recovery_time.all.unwrap().p50, 90 * 60);
}

/// Seven incidents: five of them began more than an hour after the last deployment, two while two
/// deployments were under way.
fn seven_incidents() -> String {
    let mut text = merges(4)
        + "01:00 deploy 1 production of c1 success\n\
           1d01:00 deploy 2 production of c2 success\n";
    for (name, day) in ["a1", "a2", "a3", "a4", "a5"].into_iter().zip(2..) {
        text += &alert(name, &format!("{day}d03:00"), &format!("{day}d04:00"));
    }
    text += "7d09:00 deploy 3 production of c3 in_progress\n7d09:01 deploy 4 production of c4 in_progress\n\
             7d09:05 alert prod b1 a=firing labels env=production\n\
             7d09:06 alert prod b2 a=firing labels env=production\n\
             7d09:10 deploy 3 production of c3 success\n7d09:11 deploy 4 production of c4 success\n\
             7d10:00 alert prod b1 a=over\n7d10:01 alert prod b2 a=over\n7d12:00 tick\n";
    text
}

#[test]
fn vector_30_no_incident_blames_a_deployment_of_long_ago_or_one_of_several() {
    let played = play(&seven_incidents());
    assert_eq!((played.failed(), played.figures().incidents.count), (vec![], 7));
}

#[test]
fn vector_31_blame_does_not_depend_on_the_window() {
    let text = merges(2)
        + "01:00 deploy 1 production of c1 success\n"
        + &alert("cart", "01:20", "02:00")
        + "9d01:00 deploy 2 production of c2 success\n9d03:00 tick\n";
    let played = play(&text);
    let failed = |from: i8, until: i8| {
        let window = Window::days(date(2026, 3, from), date(2026, 3, until), &TimeZone::UTC);
        figures(&played.rows, &Query::new(window, played.now)).change_fail_rate.share.part
    };
    assert_eq!((failed(2, 31), failed(2, 3), failed(3, 31)), (1, 1, 0));
}

#[test]
fn vector_32_recovery_detection_and_repair() {
    let text =
        merges(1) + "10:00 deploy 1 production of c1 success\n" + &alert("cart", "10:20", "11:00") + "12:00 tick\n";
    let recovery = play(&text).figures().recovery_time;
    let minutes = [recovery.all, recovery.detection, recovery.repair].map(|spread| spread.unwrap().p50 / 60);
    assert_eq!(minutes, [60, 20, 40]);
}

#[test]
fn vector_33_an_outage_without_a_change_fails_no_deployment() {
    let text = merges(1)
        + "10:00 deploy 1 production of c1 success\n"
        + &alert("power", "3d10:00", "3d11:00")
        + "3d12:00 tick\n";
    let figures = play(&text).figures();
    assert_eq!(figures.change_fail_rate.share.part, 0);
    assert_eq!((figures.incidents.count, figures.incidents.without_deployment), (1, 1));
}

#[test]
fn vector_34_an_open_failure_is_told_and_not_averaged() {
    let text = merges(2)
        + "10:00 deploy 1 production of c1 success\n"
        + &alert("cart", "10:20", "11:00")
        + "1d10:00 deploy 2 production of c2 success\n\
           1d10:30 alert prod pay a=firing labels env=production\n2d10:00 tick\n";
    let recovery = play(&text).figures().recovery_time;
    assert_eq!((recovery.all.unwrap().n, recovery.open_since), (1, vec![at("1d10:00")]));
}

#[test]
fn vector_35_an_incident_that_fires_again_is_one_failure() {
    let text = merges(1)
        + "10:00 deploy 1 production of c1 success\n"
        + &alert("cart", "10:20", "11:00")
        + &alert("cart", "13:00", "14:00")
        + "15:00 tick\n";
    let played = play(&text);
    let figures = played.figures();
    assert_eq!((figures.incidents.count, figures.change_fail_rate.share.part), (1, 1));
    assert_eq!(figures.recovery_time.all.unwrap().p50, 4 * 60 * 60);
}

#[test]
fn vector_36_an_inactive_deployment_keeps_its_time() {
    let text = merges(2)
        + "10:00 deploy 1 production of c1 in_progress\n10:01 deploy 1 production of c1 success\n\
           11:00 deploy 2 production of c2 success\n11:00:01 deploy 1 production of c1 inactive\n";
    let played = play(&text);
    assert_eq!((played.deployment(1).at, played.failed()), (at("10:01"), vec![]));
}

#[test]
fn vector_37_only_successes_are_deployments() {
    let text = merges(1)
        + "10:00 deploy 1 production of c1 in_progress\n10:01 deploy 1 production of c1 success\n\
           10:02 deploy 2 production of c1 in_progress\n10:02:01 deploy 2 production of c1 inactive\n\
           10:03 deploy 3 production of c1 success\n";
    let played = play(&text);
    let frequency = played.figures().deployment_frequency;
    assert_eq!((frequency.count, frequency.attempts, frequency.redeploys), (1, 1, 1));
}

#[test]
fn vector_37_the_jobs_of_one_request_are_one_deployment() {
    let text = "| mode: act\n\
        | environments: { production: { production: true, deploy: { via: workflow_dispatch, workflow: deploy.yml } } }\n\
        roles bob=write\n\
        07:00 push main c1\n07:01 issue 1 opened by bob\n\
        07:05 comment on 1 by bob\n: /deploy production\nsend\n\
        07:06 workflow workflow_dispatch on c1 run 801\n\
        07:11 deploy 41 production of c1 in_progress run 801\n07:12 deploy 41 production of c1 success run 801\n\
        07:13 deploy 42 production of c1 in_progress run 801\n07:14 deploy 42 production of c1 success run 801\n\
        07:20 tick\n";
    let frequency = play(text).figures().deployment_frequency;
    assert_eq!((frequency.count, frequency.redeploys, frequency.attempts, frequency.unknown), (1, 0, 0, 0));
}

#[test]
fn vector_38_several_production_environments() {
    let text = "| environments: { eu: { production: true }, us: { production: true }, ap: { production: true } }\n"
        .to_owned()
        + &merges(1)
        + "10:00 deploy 1 eu of c1 success\n10:10 deploy 2 us of c1 success\n10:20 deploy 3 ap of c1 success\n";
    let played = play(&text);
    let figures = played.figures();
    assert_eq!((figures.deployment_frequency.count, figures.lead_time.all.unwrap().n), (1, 1));
    let each = ["eu", "us", "ap"].map(|name| played.of(name).deployment_frequency.count);
    assert_eq!(each, [1, 1, 1]);
}

#[test]
fn vector_39_services_by_their_environments() {
    let text = "| environments: { web-prod: { production: true }, api-prod: { production: true } }\n\
                | services: { web: { paths: ['web/**'], environments: ['web-*'] }, api: { paths: ['api/**'], environments: ['api-*'] } }\n\
                00:00 push main c0 touches README.md\n\
                01:00 pull 1 opened by ann head topic1\n02:00 push main c1 touches web/a\n02:00 pull 1 merged by ann as c1\n\
                03:00 pull 2 opened by ann head topic2\n04:00 push main c2 touches api/a\n04:00 pull 2 merged by ann as c2\n\
                05:00 deploy 1 web-prod of c2 success\n06:00 deploy 2 api-prod of c2 success\n07:00 deploy 3 api-prod of c1 success\n";
    let played = play(text);
    let of = |service: &str| figures(&played.rows, &played.query().service(service));
    let web = (of("web").deployment_frequency.count, of("web").lead_time.all.unwrap().p50);
    let api = (of("api").deployment_frequency.count, of("api").lead_time.all.unwrap().p50);
    assert_eq!((web, api), ((1, 4 * 3600), (1, 3 * 3600)));
    assert_eq!((of("web").rework_rate.share.part, of("api").rework_rate.share.part), (0, 1));
}

#[test]
fn vector_40_history_stays_when_the_environment_is_gone() {
    let text = merges(2)
        + "10:00 deploy 1 production of c1 success\n11:00 deploy 2 production of c2 success\n\
           12:00 deploy 1 production of c1 inactive\n12:00 deploy 2 production of c2 inactive\n";
    let figures = play(&text).figures();
    assert_eq!((figures.deployment_frequency.count, figures.lead_time.all.unwrap().n), (2, 2));
}

#[test]
fn vector_41_pull_requests_of_bots_are_apart() {
    let text = merges(1)
        + "01:00 pull 2 opened by dependabot[bot] head bump\n\
           01:10 push main c2\n01:10 pull 2 merged by ann as c2\n\
           02:00 deploy 1 production of c2 success\n";
    let lead = play(&text).figures().lead_time;
    assert_eq!((lead.all.unwrap().n, lead.automated), (1, 1));
}

#[test]
fn vector_42_weekends_count() {
    let played = play(&shipped(&[(1, "4d17:00", "7d09:00")]));
    assert_eq!(played.lead("#1"), Some(64 * 60));
}

#[test]
fn vector_43_rework() {
    let text = merges(5)
        + "00:20 pull 3 labeled hotfix by ann\n\
           01:00 deploy 1 production of c5 success\n\
           02:00 pull 6 opened by ann head topic6 labels hotfix\n\
           02:10 push main c6\n02:10 pull 6 merged by ann as c6\n\
           02:20 deploy 2 production of c6 success\n\
           03:00 deploy 3 production of c5 success\n";
    let played = play(&text);
    let rework = [1, 2, 3].map(|id| played.deployment(id).rework);
    assert_eq!(rework, [false, true, true], "planned with a bugfix, a hotfix alone, a rollback");
    let share = played.figures().rework_rate.share;
    assert_eq!((share.part, share.n), (2, 3));
}

#[test]
fn vector_44_twenty_seconds_count() {
    let played = play(&shipped(&[(1, "08:00", "08:00:20")]));
    assert_eq!(played.figures().lead_time.all.unwrap().p50, 20);
}

#[test]
fn vector_52_three_days_a_week_is_not_daily() {
    let played = play(&shipped(&[(1, "08:00", "09:00"), (2, "2d08:00", "2d09:00"), (3, "4d08:00", "4d09:00")]));
    let window = Window::days(date(2026, 3, 2), date(2026, 3, 9), &TimeZone::UTC);
    let figures = figures(&played.rows, &Query::new(window, played.now));
    let frequency = &figures.deployment_frequency;
    assert_eq!((frequency.count, frequency.days_with, figures.basis.whole_days), (3, 3, 7));
    let shown = serde_json::to_string(&figures).unwrap().to_lowercase();
    assert!(["elite", "high", "medium", "daily", "weekly"].iter().all(|word| !shown.contains(word)), "{shown}");
}

#[test]
fn vector_53_a_hotfix_that_a_later_release_loses() {
    let lost = "| branches: ['release/*']\n\
                00:00 push main c0\n00:01 push release/1 r0 from c0\n\
                01:00 pull 1 opened by ann head fix base release/1\n\
                02:00 push release/1 r1\n02:00 pull 1 merged by ann as r1\n\
                03:00 deploy 1 production of r1 success\n\
                04:00 push main c2\n\
                05:00 deploy 2 production of c2 success\n";
    let played = play(lost);
    assert_eq!(played.figures().lead_time.lost, ["#1"]);
    assert_eq!(played.change("#1").unwrap().lost, Some(at("05:00")));
    let back = play(&(lost.to_owned() + "06:00 deploy 3 production of r1 success\n"));
    let lead = back.figures().lead_time;
    assert_eq!((lead.lost, back.change("#1").unwrap().live), (vec![], at("03:00")));
    assert_eq!(back.rows.changes.iter().filter(|row| row.change == "#1").count(), 1);
}

#[test]
fn a_deployment_stays_provisional_for_the_rework_window() {
    let played = play(&shipped(&[(1, "08:00", "09:00"), (2, "5d08:00", "5d09:00")]));
    let now: Timestamp = at("5d10:00");
    let figures = figures(&played.rows, &Query { now, ..played.query() });
    assert_eq!(figures.change_fail_rate.provisional, 1);
}
