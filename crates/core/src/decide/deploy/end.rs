//! The end of a deploy, and who hears of it.

use super::set_state;
use crate::{
    decide::{
        advance::Advanced,
        command::{conclude, run::Terms},
    },
    domain::fact::{
        DocumentKey, RepoFacts,
        command::Ending,
        deploy::{Origin, RequestEnd, RequestState},
    },
};

/// Ends a request; the command that asked for it answers.
pub(super) fn finish(
    facts: &mut RepoFacts,
    id: &str,
    how: RequestEnd,
    why: String,
    terms: &Terms<'_>,
    out: &mut Advanced,
) {
    set_state(facts, id, RequestState::Ended { how, why: why.clone() }, terms, out);
    let Some(Origin::Command(command)) = facts.requests.get(id).map(|request| request.origin.clone()) else { return };
    let ending = match how {
        RequestEnd::Succeeded | RequestEnd::Told => Ending::Done(why),
        RequestEnd::Failed | RequestEnd::Refused | RequestEnd::Withdrawn => Ending::Refused(why),
    };
    let says = how == RequestEnd::Told;
    let settled = conclude::settle(facts, command, &ending, says, terms.now);
    if settled.changed.is_empty() {
        return;
    }
    out.changed.insert(DocumentKey::Command(command));
    out.items.insert(command.item);
    out.wishes.extend(settled.wishes);
}
