//! Decides what is to be sent about a notice next.

use jiff::Timestamp;

use crate::{
    app::clock::after,
    domain::notice::NEWS_FOR,
    port::{
        notify::{Abilities, AfterDoubt},
        store::{EffectState, NoticeOutcome, NoticeStep, StoredNotice},
    },
};

/// What to do about a notice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Next {
    /// Send this.
    Send(NoticeStep),
    /// Nothing is left to send.
    End(NoticeOutcome, &'static str),
}

/// Returns what to do about a notice.
pub(super) fn next(row: &StoredNotice, can: Abilities, now: Timestamp) -> Next {
    if after(row.created_at, NEWS_FOR) <= now {
        return Next::End(NoticeOutcome::Dead, "given up after an hour");
    }
    let has_message = !row.message.is_empty() && can.edits;
    if !row.notice.is_news && !has_message {
        return Next::End(NoticeOutcome::Dropped, "there is no message to change");
    }
    // A request about an earlier notice of the thread may be in doubt: that one is replaced.
    let in_doubt = row.state == EffectState::Sending && row.tried == row.version;
    if let Some(step) = row.step.filter(|step| in_doubt && *step != NoticeStep::Edit) {
        let is_repeated = match can.after_doubt {
            AfterDoubt::Repeat => true,
            AfterDoubt::RepeatIfPersonNeeded => row.notice.needs_person,
            AfterDoubt::GiveUp => false,
        };
        if !is_repeated && has_message {
            let is_shown = row.shown == row.hash;
            return if is_shown { Next::End(NoticeOutcome::Done, "") } else { Next::Send(NoticeStep::Edit) };
        }
        if !is_repeated {
            return Next::End(NoticeOutcome::Dead, "it may have been sent, and is not sent again");
        }
        // A digest is not made again: the notice goes by itself.
        if step != NoticeStep::Digest {
            return Next::Send(step);
        }
    }
    let is_told = row.told == row.hash;
    if !has_message {
        return if is_told { Next::End(NoticeOutcome::Done, "") } else { Next::Send(NoticeStep::Post) };
    }
    if row.notice.is_news && row.notice.kind.is_urgent() && !is_told {
        return Next::Send(if can.threads { NoticeStep::Reply } else { NoticeStep::Post });
    }
    if row.shown == row.hash { Next::End(NoticeOutcome::Done, "") } else { Next::Send(NoticeStep::Edit) }
}
