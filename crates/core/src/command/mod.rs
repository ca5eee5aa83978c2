//! Slash commands: their table, how they are read, and what they do.
//!
//! ```text
//! comment ─▶ markdown (prose) ─▶ tokenize ─▶ grammar ─▶ parse ─▶ extract (sender)
//!         ─▶ permissions ─▶ wait (until they are known) ─▶ run, with the command's own file
//!         ─▶ reply (reactions, comments) ─▶ conclude (GitHub's result) ─▶ status_comment
//! ```
//!
//! [`COMMANDS`] is the one table: the parser, `/help`, `docs/commands.md` and the README's table
//! are made from it. A new command is a file here and a row there.

pub mod caller;
pub mod conclude;
pub mod environments;
pub mod extract;
pub mod grammar;
mod markdown;
mod messages;
pub mod parse;
pub mod permissions;
mod reference;
pub mod reply;
pub mod run;
mod services_section;
mod share;
pub mod status_comment;
mod time;
mod tokenize;
pub mod wait;
mod waiting_commit;

mod ack;
pub(crate) mod addressed;
mod approve;
mod assign;
mod audit;
mod cause;
mod delivery;
mod deploy;
pub(crate) mod diff;
mod freeze;
mod gate;
mod help;
mod hold;
mod lock;
mod locks;
mod milestone;
mod mute;
mod override_gate;
mod phase;
mod promote;
mod reaction;
mod release;
mod resolve;
mod retest;
mod rollback;
mod status;
mod unfreeze;
mod unhold;
mod unlock;
mod unmute;
mod where_runs;
mod why;

use crate::{
    command::{
        grammar::{Arg, Given},
        run::{CommandResult, Invocation},
    },
    domain::permission::Role,
};

pub(crate) use crate::command::messages::permission::who;
pub use crate::command::reference::{commands_markdown, examples};

/// Declaration of one command.
#[derive(Debug)]
pub struct Row {
    /// Name without the slash.
    pub name: &'static str,
    /// Forms of its arguments; the first that fits is used.
    pub forms: &'static [&'static [Arg]],
    /// Least role that may use it, unless the policy says otherwise.
    pub least: Role,
    /// Place where it may be used.
    pub place: Place,
    /// It may also be used on a pull request from a fork: it touches nothing that the fork's author
    /// wrote, or checks for itself whether it may, as `/deploy` does.
    pub forks: bool,
    /// One-line description for people.
    pub help: &'static str,
    /// Function that runs it.
    pub run: fn(&mut Invocation<'_>, &Given) -> CommandResult,
}

/// Place where a command may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// On issues and pull requests.
    Anywhere,
    /// On pull requests.
    Pulls,
    /// On feedback issues.
    Feedback,
}

/// Commands that stop or undo something. They are decided before all other waiting commands, and
/// wait for none of them.
static SAFETY: [&Row; 4] = [&rollback::ROW, &freeze::ROW, &lock::ROW, &hold::ROW];

/// Commands that act on the head of a pull request.
static ON_HEAD: [&Row; 2] = [&deploy::ROW, &retest::ROW];

impl Row {
    /// Returns whether the command acts on the head of the pull request on which it is written.
    pub(crate) fn acts_on_head(&self) -> bool {
        ON_HEAD.iter().any(|row| row.name == self.name)
    }

    /// Returns whether the command approves a gate, which those may do whom the gate names.
    pub(crate) fn is_approval(&self) -> bool {
        self.name == approve::ROW.name
    }

    /// Returns whether the command stops or undoes something, so that it goes before others.
    pub fn is_safety(&self) -> bool {
        SAFETY.iter().any(|row| row.name == self.name)
    }
}

/// All commands, in the order in which `/help` lists them.
pub static COMMANDS: [&Row; 29] = [
    &help::ROW,
    &status::ROW,
    &why::ROW,
    &phase::ROW,
    &assign::ROW,
    &milestone::ROW,
    &hold::ROW,
    &unhold::ROW,
    &retest::ROW,
    &diff::ROW,
    &where_runs::ROW,
    &delivery::ROW,
    &deploy::ROW,
    &promote::ROW,
    &rollback::ROW,
    &approve::ROW,
    &override_gate::ROW,
    &lock::ROW,
    &unlock::ROW,
    &locks::ROW,
    &freeze::ROW,
    &unfreeze::ROW,
    &release::ROW,
    &ack::ROW,
    &mute::ROW,
    &unmute::ROW,
    &resolve::ROW,
    &cause::ROW,
    &audit::ROW,
];
