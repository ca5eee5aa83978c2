//! Notices as a store queues them: once for what was not said in their thread, and a change only of
//! what was said.

use std::collections::BTreeMap;

use phasebot_core::plan::PlannedNotice;

use super::stage::Stage;

/// What was last said in each thread to each target.
#[derive(Default)]
pub struct Threads(BTreeMap<(String, String), String>);

impl Threads {
    /// Returns whether a notice is queued.
    fn is_queued(&mut self, planned: &PlannedNotice) -> bool {
        let key = (planned.target.clone(), planned.notice.thread.clone());
        let digest = planned.notice.digest();
        let is_new = match self.0.get(&key) {
            Some(said) => *said != digest,
            None => planned.notice.is_news,
        };
        if is_new {
            self.0.insert(key, digest);
        }
        is_new
    }
}

impl Stage {
    /// Shows the notices of a plan that are queued.
    pub(super) fn notify(&mut self, notices: &[PlannedNotice]) {
        for planned in notices {
            if !self.threads.is_queued(planned) {
                continue;
            }
            let PlannedNotice { target, notice } = planned;
            let what = if notice.is_news { notice.kind.name() } else { "change" };
            let links = notice.links.iter().map(|link| format!("{}: {}", link.words, link.url));
            let person = notice.needs_person.then(|| "needs a person".to_owned());
            let lines: Vec<String> = notice.lines.iter().cloned().chain(links).chain(person).collect();
            let lines = lines.iter().flat_map(|line| ["\n", line]).collect::<String>();
            self.transcript.say(format!("notice to {target}: {what} {}: {}{lines}", notice.thread, notice.headline));
        }
    }
}
