//! How the generated half year ends: with changes in every phase, so that a newcomer sees the loop at work.

use jiff::SignedDuration;

use crate::{
    cli::demo::half_year::{HalfYear, ISSUES, STARTED, item},
    domain::event::{RefName, Seen},
};

impl HalfYear {
    /// How it stands at the end: some changes in every phase, and an alert that still fires.
    pub(super) fn present(&mut self) {
        let end = self.end;
        let before = |minutes: &i64| end - SignedDuration::from_mins(*minutes);
        // Minutes before the end: the merges of each group, and its release.
        let groups: [(&[i64], Option<i64>); 5] = [
            (&[4_260, 4_224, 4_188], Some(144)),
            (&[4_146, 4_092], Some(84)),
            (&[4_050, 4_026, 3_978, 3_954], Some(36)),
            (&[3_912, 3_888, 3_846, 96, 72], None),
            (&[30, 18, 6], None),
        ];
        let mut issue = 2 * ISSUES + 1;
        for (group, (merges, released)) in groups.into_iter().enumerate() {
            for merged in merges.iter().map(before) {
                let asked = merged - SignedDuration::from_mins(self.chance.minutes(1_900) + 2_000);
                let opened = item(issue, false, &self.topic(), String::new(), asked);
                self.add(asked, Seen::Issue(Box::new(opened.clone())));
                let (begun, ready) =
                    (merged - SignedDuration::from_mins(1_900), merged - SignedDuration::from_mins(700));
                let pull = self.open(&opened, begun, ready);
                let merge = self.merge(opened, pull, merged);
                self.land(merged, &merge);
                // Those of the last group are still under way.
                if group < 4 {
                    self.checks(&merge, merged);
                }
                issue += 2;
            }
            let Some(at) = released.as_ref().map(before) else { continue };
            let commit = self.main.clone();
            self.push(at, RefName::Tag(format!("v3.{group}.0")), None, &commit, 0, at);
            self.deploy(&commit, "staging", at + SignedDuration::from_mins(4));
            let live = at + SignedDuration::from_mins(25);
            match group {
                0 => {
                    self.deploy(&commit, "production", live);
                    self.alert(1_000, live + SignedDuration::from_mins(14), None);
                }
                1 => self.deploy_until(&commit, "production", live + SignedDuration::from_mins(45), &STARTED),
                _ => {}
            }
        }
    }
}
