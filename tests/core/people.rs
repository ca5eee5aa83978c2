//! People are identified by account and not by name: requesting, pushing and approving.

use phasebot_core::domain::{decision::GateName, effect::Effect, id::Account};
use proptest::prelude::*;

use crate::scenario::{folder::narrate, probed, stage::Moment};

/// An action in a generated history; people are named by the login that they have at that time.
#[derive(Debug, Clone)]
enum Act {
    Push(usize),
    Deploy(usize),
    Approve(usize),
    /// Takes another login, if it is free. Whoever takes the old login is another person with the
    /// same permissions.
    Rename(usize, usize),
    Send,
}

const LOGINS: [&str; 5] = ["ann", "bob", "cyd", "dan", "eve"];

fn act() -> impl Strategy<Value = Act> {
    let who = || 0..LOGINS.len();
    prop_oneof![
        1 => who().prop_map(Act::Push),
        2 => who().prop_map(Act::Deploy),
        4 => who().prop_map(Act::Approve),
        4 => (who(), who()).prop_map(|(from, to)| Act::Rename(from, to)),
        1 => Just(Act::Send),
    ]
}

fn history(acts: &[Act]) -> String {
    let mut steps =
        "| mode: act\n| environments: { production: { deploy: { via: deployment }, require: [approval] } }\n\
                     roles ann=maintain bob=maintain cyd=maintain dan=maintain eve=maintain\n\
                     08:00 push main c0 by ann\n08:01 issue 1 opened by ann\n"
            .to_owned();
    for (index, act) in acts.iter().enumerate() {
        let at = format!("09:{index:02}");
        let step = match act {
            Act::Push(who) => format!("{at} push main c{} by {}\n", index + 1, LOGINS[*who]),
            Act::Deploy(who) => format!("{at} comment on 1 by {}\n: /deploy production\n", LOGINS[*who]),
            Act::Approve(who) => format!("{at} comment on 1 by {}\n: /approve deploy production\n", LOGINS[*who]),
            Act::Rename(from, to) if from == to => continue,
            Act::Rename(from, to) => {
                // The other account's former login was freed before.
                let (from, to) = (LOGINS[*from], LOGINS[*to]);
                format!("renamed {to} was-{to}-{index}\nrenamed {from} {to}\nroles {from}=maintain\n")
            }
            Act::Send => "send\n".to_owned(),
        };
        steps.push_str(&step);
    }
    steps
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// No account both requests and approves, nor approves its own push, whatever the logins are:
    /// another account approved everything that starts.
    #[test]
    fn nobody_approves_their_own(acts in prop::collection::vec(act(), 1..30)) {
        let probe = |moment: &Moment<'_>| {
            for effect in &moment.queued {
                let Effect::CreateDeployment { request, sha, environment, .. } = effect else { continue };
                let asked = &moment.facts.requests.get(request).expect("a request").by;
                let pushed: Vec<&Account> = moment
                    .facts
                    .pushes
                    .values()
                    .filter(|push| push.commits.contains(sha))
                    .filter_map(|push| push.pusher.as_ref())
                    .collect();
                let gate = GateName::Deploy(environment.clone());
                let approved = moment.facts.words_at_gate(&gate, sha).into_iter().map(|command| command.by.id);
                let others = approved.filter(|id| {
                    id.is_some() && *id != asked.id && pushed.iter().all(|pusher| pusher.id != *id)
                });
                assert!(others.count() > 0, "{} was approved by nobody else", sha.short());
            }
        };
        probed(&history(&acts), Box::new(probe));
    }
}

/// Ensures that the property above is not vacuous: such histories do start deployments.
#[test]
fn somebody_else_approves() {
    let steps =
        history(&[Act::Push(0), Act::Deploy(1), Act::Rename(1, 2), Act::Approve(2), Act::Approve(3), Act::Send]);
    let said = narrate(&steps);
    assert!(said.contains("`cyd` asked for it") && said.contains("sent: deployment of c1"), "{said}");
}
