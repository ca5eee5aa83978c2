//! Answers to jobs that wait for phasebot's deployment protection rule.

use crate::{
    context::rights::WRITERS,
    domain::{
        decision::{Condition, Decision},
        turn::{CommandPlace, Turn},
    },
    gate::condition_order,
    text::{headline::Headline, message::quoted},
};

pub(in crate::deploy) fn foreign_job(environment: &str) -> Headline {
    Headline::new(
        format!("it is a job of a pull request or a fork, and {} accepts only merged changes", quoted(environment)),
        Turn::people(WRITERS, "merge the change; this job stays blocked"),
    )
}

pub(in crate::deploy) fn pull_job(environment: &str) -> Headline {
    Headline::new(
        format!(
            "it is a job of a pull request at a commit that is not the head of a pull request: {} accepts merged \
             changes, and heads of open pull requests",
            quoted(environment)
        ),
        Turn::people(WRITERS, "run the workflow again on the head commit"),
    )
}

pub(in crate::deploy) fn deployment_unknown() -> Headline {
    job_waits("the job's deployment is not known yet")
}

pub(in crate::deploy) fn job_commit_unknown() -> Headline {
    job_waits("the job's commit is not known")
}

/// Tells a job why it has to wait.
pub(in crate::deploy) fn job_waits(why: &str) -> Headline {
    Headline::new(why, Turn::by_itself("phasebot starts this job when that has changed"))
}

/// Tells a job that its gate is open.
pub(in crate::deploy) fn job_starts() -> Headline {
    Headline::new("the gate is open", Turn::by_itself("the job starts"))
}

/// Tells a job why its gate is closed: what blocks first comes first, the rest beneath it.
pub(in crate::deploy) fn job_blocked(decision: &Decision) -> String {
    let blocking = condition_order::blocking(decision);
    let Some((first, rest)) = blocking.split_first() else {
        return format!("⏳ {}", job_waits("the gate is not open").text_for(WRITERS));
    };
    let row = |condition: &&Condition| {
        format!("- {} {}: {}", condition_order::symbol(condition), quoted(&condition.name), condition.sentence)
    };
    let headline = Headline::new(&first.sentence, first.turn.clone().placed(CommandPlace::Anywhere));
    let rest = rest.iter().map(row).collect::<Vec<_>>().join("\n");
    format!("{} {}", condition_order::symbol(first), headline.with(rest).text_for(WRITERS))
}
