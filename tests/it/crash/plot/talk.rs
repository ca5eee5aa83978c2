//! Slash commands on an issue: each is answered, by at most one comment.

use phasebot_forge_sim::{Person, SimForge};

use super::Plot;

/// Commands and their results: the last reaction, and whether a comment answers.
const SAID: [(&str, &str, bool); 6] = [
    ("/hold until the law is passed", "rocket", false),
    ("Has anybody seen this as well?", "", false),
    ("/status", "rocket", false),
    ("/deploy nowhere", "-1", true),
    ("/unhold", "rocket", false),
    ("/why", "rocket", false),
];

/// An issue on which a person gives commands.
pub struct Talk {
    person: Person,
    full_name: String,
    issue: u64,
    comments: Vec<u64>,
    /// Whether the forge answers every query.
    answers: bool,
}

impl Talk {
    /// Opens the issue. `answers`: the forge answers every query.
    pub fn new(person: &Person, full_name: &str, name: &str, answers: bool) -> Self {
        let issue = person.open_issue(name, "", &[]).unwrap().made;
        Self { person: person.clone(), full_name: full_name.to_owned(), issue, comments: Vec::new(), answers }
    }
}

impl Plot for Talk {
    fn go_on(&mut self) -> bool {
        let Some((words, ..)) = SAID.get(self.comments.len()) else { return false };
        self.comments.push(self.person.comment(self.issue, words).unwrap().made);
        true
    }

    fn check(&self, sim: &SimForge) {
        let ours: Vec<String> = sim.comments(&self.full_name, self.issue).into_iter().map(|(_, text)| text).collect();
        let place = format!("{}#{}", self.full_name, self.issue);
        for (comment, (words, reaction, answered)) in self.comments.iter().zip(SAID) {
            let seen: Vec<String> = sim.reactions(&self.full_name, *comment).into_iter().collect();
            let marker = format!("<!-- phasebot:answer:comment-{comment}");
            let answer = |text: &&String| text.strip_prefix(&marker).is_some_and(|rest| rest.starts_with(['-', ' ']));
            let answers = ours.iter().filter(answer).count();
            // The sender's permission is queried: without an answer, a command is refused. If its
            // delivery overtakes that of the hold, there is no hold to lift yet.
            let refused = (!self.answers || words == "/unhold") && seen == ["-1", "eyes"];
            match reaction {
                "" => assert!(seen.is_empty(), "{place} {words}: {seen:?}"),
                _ if refused => assert!(answers <= 1, "{place} {words}: {ours:#?}"),
                _ => {
                    assert!(seen.len() == 2 && seen.contains(&reaction.to_owned()), "{place} {words}: {seen:?}");
                    assert_eq!(answers, usize::from(answered), "{place} {words}: {ours:#?}");
                }
            }
        }
        let boards = ours.iter().filter(|text| text.starts_with("<!-- phasebot:status -->")).count();
        assert!(boards == 1 || !self.answers && boards == 0, "{place}: {ours:#?}");
        assert_eq!(sim.visible_labels(&self.full_name, self.issue), ["phase/plan".to_owned()].into(), "{place}");
    }
}
