//! `window`: it is a time at which this may happen.

use crate::{
    domain::rule::Window,
    gate::{Case, calendar, condition_result::Finding},
    text::message,
};

pub(super) fn judge(case: Case<'_, '_>, window: &Window) -> Finding {
    let now = case.look.now;
    let (open, turns) = calendar::window(window, now);
    let local = turns.map(|at| message::moment(at, &window.zone));
    if open {
        let sentence =
            local.map_or_else(|| "the window is open".to_owned(), |at| format!("the window is open until {at}"));
        return Finding::pass("window_open", sentence).seen(Some(now)).turns(turns);
    }
    let sentence = local.map_or_else(|| "the window never opens".to_owned(), |at| format!("the window opens {at}"));
    let finding =
        if turns.is_some() { Finding::wait("window_shut", sentence) } else { Finding::fail("window_shut", sentence) };
    finding.seen(Some(now)).turns(turns)
}
