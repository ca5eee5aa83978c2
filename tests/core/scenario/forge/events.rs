//! Lines that say what happens, as the events that the forge delivers.

use jiff::Timestamp;
use phasebot_core::domain::{
    alert::{Message, Says},
    event::*,
};

use super::{Forge, alerts::feedback, words::after};

impl Forge {
    /// Lets something happen; returns the event that is delivered, if one is.
    ///
    /// `body`: the text of a comment or a review. At the end of a line, `unseen` means that no
    /// event is delivered, and `edited` that a comment was edited.
    pub fn happen(&mut self, at: Timestamp, w: &[String], body: &str) -> Option<Event> {
        let is_heard = w.last()? != "unseen";
        let w = if is_heard { w } else { &w[..w.len() - 1] };
        let by = after(w, "by");
        let (name, seen) = self.seen(at, w, body).unwrap_or_else(|| panic!("can't read {w:?}"));
        if let Some(branch) = after(w, "default") {
            self.default_branch = Some(branch.to_owned());
        }
        is_heard.then(|| self.event(at, name, by, seen))
    }

    fn seen(&mut self, at: Timestamp, w: &[String], body: &str) -> Option<(String, Seen)> {
        let action = w.get(2).map(String::as_str).unwrap_or_default();
        Some(match w[0].as_str() {
            "issue" => (format!("issues.{action}"), Seen::Issue(Box::new(self.item(at, w, false)?))),
            "pull" => (format!("pull_request.{action}"), Seen::Pull(Box::new(self.pull(at, w)?))),
            // `unseen 9`: events only said that number 9 is a pull request.
            "unseen" => {
                let words = ["pull", &w[1], "edited", "by", "ann"].map(str::to_owned);
                ("issues.edited".into(), Seen::Issue(Box::new(self.item(at, &words, true)?)))
            }
            "comment" => ("issue_comment.created".into(), Seen::Comment(Box::new(self.comment(at, w, body)?))),
            "review" => ("pull_request_review.submitted".into(), Seen::Review(Box::new(self.review(at, w, body)?))),
            "push" | "force-push" => ("push".into(), Seen::Push(Box::new(self.push(at, w)?))),
            "tag" => ("push".into(), Seen::Push(Box::new(self.tag(w)?))),
            "branch" => {
                let (name, exists) = (RefName::Branch(w[1].clone()), action == "created");
                ((if exists { "create" } else { "delete" }).into(), Seen::Ref(RefSeen { name, exists }))
            }
            "release" => (format!("release.{action}"), Seen::Release(self.release(at, w)?)),
            "group" => self.group(w),
            "check" => (format!("check_run.{action}"), Seen::Check(self.check(at, w)?)),
            // `checks rerequested on c1`: someone requests all of our checks again.
            "checks" => {
                let sha = self.sha(after(w, "on")?);
                ("check_suite.rerequested".into(), Seen::ChecksRerequested { sha })
            }
            "status" => ("status".into(), Seen::Status(self.status(at, w)?)),
            "workflow" => ("workflow_run.requested".into(), Seen::Workflow(self.workflow(at, w)?)),
            "deploy" => ("deployment_status.created".into(), Seen::Deployment(self.deploy(at, w)?)),
            "external" => ("external".into(), Seen::External(Box::new(self.external(at, w)?))),
            "verdict" => ("verdict".into(), Seen::Verdict(Box::new(self.verdict(at, w)?))),
            "protect" => ("deployment_protection_rule.requested".into(), Seen::Protection(self.protection(w))),
            "alert" => ("alert".into(), self.alert(at, w)?),
            "schema" => ("alert".into(), self.schema(at, w)?),
            "heard" => {
                let message = Message { connection: w[1].clone(), at, says: Says::Heartbeat };
                ("alert".into(), Seen::Alert(Box::new(message)))
            }
            "feedback" => ("alert".into(), feedback(at, w)),
            "repository" => {
                let change = if w[1] == "deleted" { RepositoryChange::Deleted } else { RepositoryChange::Described };
                (format!("repository.{}", w[1]), Seen::Repository(change))
            }
            _ => return None,
        })
    }
}
