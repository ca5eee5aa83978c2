//! `/cause`: which change caused an incident.

use crate::{
    command::{
        Place, Row,
        grammar::{Given, Kind, must},
        messages,
        run::{Answer, Turn},
    },
    domain::{fact::command::Deed, permission::Role},
};

pub(super) static ROW: Row = Row {
    name: "cause",
    forms: &[&[must("REF|none", Kind::Word)]],
    least: Role::Triage,
    place: Place::Feedback,
    forks: true,
    help: "Names the change that caused the incident, or `none`",
    run,
};

fn run(turn: &mut Turn<'_>, given: &Given) -> Answer {
    if !turn.shows_incident() {
        return Answer::Refused(messages::no_incident());
    }
    let name = given.text("REF|none");
    if name.eq_ignore_ascii_case("none") {
        turn.deed = Some(Deed::Cause { change: None });
        return Answer::Done("no change caused it".to_owned());
    }
    let Some(change) = turn.change(name) else { return Answer::Misread(messages::no_change(name)) };
    let done = format!("caused by {change}");
    turn.deed = Some(Deed::Cause { change: Some(change) });
    Answer::Done(done)
}
