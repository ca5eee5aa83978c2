//! How the generated half year ends: with changes in every phase, so that a newcomer sees the loop at work.

use jiff::SignedDuration;

use crate::{
    cli::demo::half_year::{HalfYear, ISSUES, STARTED, item},
    domain::event::{RefName, Seen},
};

impl HalfYear {
    /// How it stands at the end: some changes in every phase.
    pub(super) fn present(&mut self) {
        let end = self.end;
        let before = |minutes: &i64| end - SignedDuration::from_mins(*minutes);
        // Minutes before the end: the merges of each group, its tag, and its deployments to staging and
        // production.
        let groups: [(&[i64], [Option<i64>; 3]); 5] = [
            (&[4_260, 4_224, 4_188], [Some(60), Some(56), Some(15)]),
            (&[4_146, 4_092], [Some(45), Some(40), Some(4)]),
            (&[4_050, 4_026, 3_978, 3_954], [Some(25), None, None]),
            (&[3_912, 3_888, 3_846, 96, 72], [None; 3]),
            (&[30, 18, 6], [None; 3]),
        ];
        let mut issue = 2 * ISSUES + 1;
        for (group, (merges, shipped)) in groups.into_iter().enumerate() {
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
            let [tagged, staging, production] = shipped.map(|minutes| minutes.as_ref().map(before));
            let commit = self.main.clone();
            if let Some(at) = tagged {
                self.push(at, RefName::Tag(format!("v3.{group}.0")), None, &commit, 0, at);
            }
            if let Some(at) = staging {
                self.deploy(&commit, "staging", at);
            }
            match production {
                // It runs, but not for long enough yet.
                Some(at) if group == 0 => self.deploy(&commit, "production", at),
                Some(at) => self.deploy_until(&commit, "production", at, &STARTED),
                None => {}
            }
        }
    }
}
