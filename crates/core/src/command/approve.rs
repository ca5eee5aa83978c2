//! `/approve`: gives one of the approvals that a gate requires.

use crate::{
    command::{
        Place, Row,
        gate::{self, DEPLOY, ENVIRONMENT, RELEASE},
        grammar::{Given, Kind, Value, may},
        messages,
        run::{CommandResult, Invocation},
    },
    domain::{decision::GateName, fact::command::CommandAction, permission::Role},
    gate::Subject,
    text::message::quoted,
};

pub(super) static ROW: Row = Row {
    name: "approve",
    forms: &[&[RELEASE, may("ref", Kind::Key(Value::Ref))], &[DEPLOY, ENVIRONMENT, may("ref", Kind::Key(Value::Ref))]],
    least: Role::Maintain,
    place: Place::Anywhere,
    forks: false,
    help: "Approves a release or a deployment that waits for it",
    run,
};

fn run(turn: &mut Invocation<'_>, given: &Given) -> CommandResult {
    if let Some(why) = messages::gates_off(turn.facts, turn.policy) {
        return CommandResult::Refused(why);
    }
    let gate = match gate::named(turn.policy, given) {
        Ok(Some(gate)) => gate,
        Ok(None) => return CommandResult::Misread(messages::usage("the gate is missing", &ROW, "")),
        Err(why) => return CommandResult::Refused(why),
    };
    let approvals = gate::approvals(turn.policy, &gate);
    if approvals.is_empty() {
        return CommandResult::Refused(messages::no_approval_asked(&gate.check()));
    }
    let by = turn.request.by.clone();
    let line = crate::gate::approve_command(match &gate {
        GateName::Deploy(environment) => Some(environment),
        GateName::Release(_) => None,
    });
    if !approvals.iter().any(|teams| turn.entitled(teams)) {
        return CommandResult::Refused(messages::approval_does_not_count(&by.login, approvals[0], line));
    }
    let (sha, since) = match turn.waiting(&gate, given.optional("ref")) {
        Ok(waiting) => (waiting.decision.sha.clone(), waiting.since),
        Err(why) => return CommandResult::Refused(why),
    };
    let mut asked = crate::gate::subjects(turn.facts, turn.policy, turn.now).into_iter();
    let asked = asked.find(|subject| subject.gate == gate && subject.sha == sha);
    let subject = asked.unwrap_or_else(|| Subject::new(gate.clone(), sha.clone(), since));
    match crate::gate::objection(turn.facts, turn.policy, &subject, &by, turn.now) {
        Ok(None) => {}
        Ok(Some(part)) => return CommandResult::Refused(messages::not_by_oneself(&by.login, &part, line)),
        Err(why) => return CommandResult::Refused(messages::authors_unknown(&why)),
    }
    let done = format!("approved {} for {}", sha.code(), quoted(&gate.check()));
    turn.action = Some(CommandAction::Approve { gate, sha });
    CommandResult::Done(done)
}

impl Invocation<'_> {
    /// Returns whether the sender's approval counts where these teams are required.
    fn entitled(&self, teams: &[String]) -> bool {
        if teams.is_empty() {
            return self.standing.role.as_ref().is_ok_and(|role| *role >= Role::Maintain);
        }
        teams.iter().any(|team| self.standing.teams.get(team) == Some(&Ok(true)))
    }
}
