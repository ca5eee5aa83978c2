//! `freeze`: no freeze covers the environment, be it from the policy's calendar or from a comment.
//! Releases wait for freezes that cover everything.

use jiff::Timestamp;

use crate::{
    context::rights::{FREEZES, who_may},
    domain::{
        fact::command::ALL,
        turn::{Act, Turn},
        when,
    },
    gate::{ConditionContext, calendar, condition_result::ConditionResult, turns},
    text::{
        message::{command_line, moment, quoted, reason},
        people,
    },
};

/// A freeze that covers the time of the evaluation.
struct ActiveFreeze {
    until: Option<Timestamp>,
    since: Option<Timestamp>,
    words: String,
    turn: Turn,
}

pub(super) fn evaluate(ctx: ConditionContext<'_, '_>) -> ConditionResult {
    let (eval, now) = (ctx.eval, ctx.eval.now);
    let zone = &eval.policy.commands.zone;
    let covers = |name: &str| name == ALL || ctx.subject.environment() == Some(name);
    let mut next = None;
    let mut standing: Vec<ActiveFreeze> = Vec::new();
    for rule in eval.policy.freezes.iter().filter(|rule| covers(&rule.environment)) {
        let (frozen, turns) = calendar::freeze(rule, now);
        if frozen {
            let until = turns.map_or_else(String::new, |at| format!(" until {}", moment(at, zone)));
            let words = format!("the policy freezes it{until}{}", reason(rule.reason.as_deref()));
            let turn = match turns {
                Some(at) => ctx.at("the freeze ends", at),
                None => turns::edits_policy("end the freeze"),
            };
            standing.push(ActiveFreeze { until: turns, since: None, words, turn });
        } else {
            next = when::earlier(next, turns);
        }
    }
    for (name, freeze) in eval.facts.freezes(now).iter().filter(|(name, _)| covers(name)) {
        let until = freeze.until.map_or_else(String::new, |at| format!(" until {}", moment(at, zone)));
        let what = if *name == ALL { "all environments are".to_owned() } else { format!("{} is", quoted(name)) };
        let unfreeze = command_line(&["unfreeze", name]);
        let by = quoted(&freeze.by.login);
        let words = format!("{what} frozen by {by}{until}{}", reason(freeze.reason));
        let may = who_may(eval.policy, "unfreeze", FREEZES);
        let turn = match freeze.until {
            Some(at) => Turn::by_itself(format!(
                "the freeze ends {}, or when {} comments {}",
                moment(at, zone),
                people::or_may(freeze.by, &may),
                unfreeze.code()
            )),
            None => Turn::people(
                people::human(freeze.by).map_or(may, |who| format!("{who} (froze it)")),
                Act::comment(unfreeze).and(" as soon as that is safe"),
            ),
        };
        standing.push(ActiveFreeze { until: freeze.until, since: Some(freeze.since), words, turn });
    }
    // The gate opens when the last freeze ends.
    standing.sort_by_key(|freeze| (freeze.until.is_none(), freeze.until));
    match standing.pop() {
        None => ConditionResult::pass("freeze_none", "no freeze is in force").seen(Some(now)).turns(next),
        Some(last) => {
            let finding =
                ConditionResult::wait("frozen", last.words, last.turn).seen(last.since.or(Some(now))).turns(last.until);
            if last.until.is_none() { finding.by_hand() } else { finding }
        }
    }
}
