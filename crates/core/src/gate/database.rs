//! `database`: the schema changes that belong to the commit are as far as the gate wants.

use crate::{
    domain::{
        decision::ConditionState,
        fact::deploy_request::RequestKind,
        rule::{ConditionName, SchemaGoal, name_key},
        schema::{SchemaChange, SchemaState},
        turn::Turn,
    },
    gate::{
        ConditionContext,
        condition_result::ConditionResult,
        schema_changes::{Belonging, Unknown, belonging, former},
        turns,
    },
    text::message::{self, quoted},
};

/// Limit on the reasons of a database that are named.
const MOST_PROBLEMS: usize = 3;

pub(super) fn evaluate(ctx: ConditionContext<'_, '_>, environment: Option<&str>, want: SchemaGoal) -> ConditionResult {
    let (eval, subject) = (ctx.eval, ctx.subject);
    let request = subject.request.as_ref().and_then(|id| eval.facts.requests.get(id));
    if request.is_some_and(|request| request.kind == RequestKind::Rollback) {
        return ConditionResult::pass("database_rollback", "a rollback brings no schema change");
    }
    let Some(environment) = environment.or(subject.environment()) else {
        let turn = turns::edits_policy("name an `environment` in the condition `database`");
        return ConditionResult::error("database_no_environment", "it names no environment", turn);
    };
    let Some(rule) = eval.policy.environment(&name_key(environment)).and_then(|rule| rule.database.as_ref()) else {
        let words = format!("the policy has no `database` for {}", quoted(environment));
        let turn = turns::edits_policy(&format!("add `database` to {}", quoted(environment)));
        return ConditionResult::error("database_unlisted", words, turn);
    };
    // What phasebot applies itself only has to be ready for it.
    let is_own = request.is_some() && subject.environment().is_some_and(|own| name_key(own) == name_key(environment));
    let is_applied = is_own && rule.apply.is_some();
    let want = if is_applied && want == SchemaGoal::Deployed { SchemaGoal::Deployable } else { want };
    let name = quoted(&rule.connection);
    let found = match belonging(ctx, rule) {
        Ok(found) => found,
        Err(unknown) => return not_known(ctx, &name, unknown),
    };
    let results: Vec<ConditionResult> = found
        .changes
        .iter()
        .map(|change| Change { ctx, found: &found, seen: change, want, is_applied, name: &name }.result())
        .collect();
    let count = results.len();
    let worst = results.into_iter().min_by_key(|result| result.condition.standing);
    match worst {
        None => ConditionResult::pass("database_unchanged", format!("no schema change of {name} belongs to it")),
        Some(result) if count == 1 => result,
        Some(mut result) if result.condition.standing == ConditionState::Pass => {
            result.condition.sentence = format!("{count} schema changes of {name} are {}", want.name());
            result
        }
        Some(mut result) => {
            result.condition.sentence = format!("of {count} schema changes: {}", result.condition.sentence);
            result
        }
    }
}

fn not_known(ctx: ConditionContext<'_, '_>, name: &str, unknown: Unknown) -> ConditionResult {
    match unknown {
        Unknown::Asked => {
            let turn = Turn::by_itself(format!("phasebot asks {name} and goes on by itself"));
            let words = format!("{name} is being asked for its schema changes");
            ConditionResult::unknown("database_asked", words, turn)
        }
        Unknown::Refused(why) => {
            let words = format!("{name} did not say which schema changes there are: {why}");
            ConditionResult::error("database_unavailable", words, turns::refused())
        }
        Unknown::Contents(why, true) => ConditionResult::unknown("database_contents_asked", why, Turn::asking()),
        Unknown::Contents(why, false) => {
            let words = format!("it is not known which schema changes belong to it: {why}");
            ConditionResult::error("database_contents_unknown", words, ctx.overrides(ConditionName::Database))
        }
    }
}

/// A schema change and how far it has to be.
struct Change<'a, 'f> {
    ctx: ConditionContext<'a, 'f>,
    found: &'a Belonging<'f>,
    seen: &'f SchemaChange,
    want: SchemaGoal,
    /// True if phasebot applies it.
    is_applied: bool,
    /// The connection's name, quoted.
    name: &'a str,
}

impl Change<'_, '_> {
    fn result(&self) -> ConditionResult {
        let change = self.seen;
        let result = if former(self.ctx.eval.facts, self.ctx.subject, change).is_some() {
            let turn = Turn::people(self.ctx.makers(), "check its new schema, and ask for the deploy again");
            self.fail("database_changed", "changed after this deploy was asked for", turn)
        } else {
            self.as_it_is()
        };
        result.link(change.url.as_deref()).seen(Some(change.at))
    }

    /// Returns the result of its state. No state passes that does not stand here.
    fn as_it_is(&self) -> ConditionResult {
        let change = self.seen;
        if change.is_withdrawn() {
            return self.fail("database_withdrawn", "was closed before it was deployed", self.again());
        }
        match change.state {
            SchemaState::Checking => self.wait("database_checked", "is being checked", self.waits()),
            SchemaState::Ready => self.ready(),
            SchemaState::Empty => self.pass("changes nothing"),
            SchemaState::Queued | SchemaState::Running => self.running(),
            SchemaState::Staged if self.want == SchemaGoal::Deployed => {
                let soon = if change.expires_soon { ", and soon no longer" } else { "" };
                let turn = self.database_people("apply it");
                self.wait("database_staged", &format!("is staged and not applied{soon}"), turn)
            }
            SchemaState::Staged if change.expires_soon => self.pass("is staged, and soon no longer"),
            SchemaState::Staged => self.pass("is staged"),
            SchemaState::Applying if self.want == SchemaGoal::Deployed => {
                self.wait("database_applying", "is being applied", self.waits())
            }
            SchemaState::Applying => self.pass("is being applied"),
            SchemaState::Revertible | SchemaState::Applied => self.pass("is applied"),
            SchemaState::Invalid => {
                let words = format!("can't be deployed{}", self.problems());
                self.fail("database_invalid", &words, self.again())
            }
            SchemaState::Failed => {
                let turn = self.database_people("mend it");
                self.fail("database_failed", "failed, and may hold up the queue of the database", turn)
            }
            SchemaState::Cancelling | SchemaState::Cancelled => {
                self.fail("database_cancelled", "was cancelled", self.again())
            }
            SchemaState::Reverting => self.fail("database_reverted", "is being reverted", self.again()),
            SchemaState::Reverted => self.fail("database_reverted", "was reverted", self.again()),
            SchemaState::RevertFailed => {
                let turn = self.database_people("mend it");
                self.fail("database_revert_failed", "could not be reverted", turn)
            }
            SchemaState::Unknown => {
                let words = format!(
                    "{} is in the state {}, which this version of phasebot does not know",
                    self.subject(),
                    quoted(&change.word)
                );
                let turn = Turn::people("phasebot's administrator", "update phasebot");
                ConditionResult::error("database_state_unknown", words, turn)
            }
        }
    }

    fn ready(&self) -> ConditionResult {
        let change = self.seen;
        if !change.problems.is_empty() {
            let words = format!("can't be deployed{}", self.problems());
            return self.fail("database_invalid", &words, self.again());
        }
        if let Some(held) = self.held() {
            return held;
        }
        if self.found.needs_approval && !change.approved {
            let turn = self.database_people("approve it");
            return self.wait("database_unapproved", "is not approved", turn).by_hand();
        }
        // What it would apply has to be known.
        if !change.deployable || (self.is_applied && change.content.digest.is_empty()) {
            return self.wait("database_undeployable", "can't be deployed yet", self.waits());
        }
        if self.want == SchemaGoal::Deployable {
            return self.pass("can be deployed");
        }
        let turn = self.database_people("deploy it");
        self.wait("database_undeployed", "is not deployed", turn)
    }

    fn running(&self) -> ConditionResult {
        if let Some(held) = self.held() {
            return held;
        }
        let does = if self.seen.state == SchemaState::Queued { "is queued" } else { "is being staged" };
        let does = format!("{does}{}", left(self.seen.eta_seconds));
        if self.want == SchemaGoal::Deployable {
            return self.pass(&does);
        }
        self.wait("database_running", &does, self.waits())
    }

    /// Returns the result while the database's queue stands still.
    fn held(&self) -> Option<ConditionResult> {
        let why = self.seen.paused.as_ref()?;
        let words = format!("waits: the queue of the database is paused{}", message::reason(Some(why)));
        Some(self.wait("database_paused", &words, self.database_people("let its queue go on")))
    }

    fn subject(&self) -> String {
        format!("schema change {} of {} ({})", self.seen.number, self.name, quoted(&self.seen.from))
    }

    fn pass(&self, does: &str) -> ConditionResult {
        ConditionResult::pass(&format!("database_{}", self.want.name()), format!("{} {does}", self.subject()))
    }

    fn wait(&self, code: &str, does: &str, turn: Turn) -> ConditionResult {
        ConditionResult::wait(code, format!("{} {does}", self.subject()), turn)
    }

    fn fail(&self, code: &str, does: &str, turn: Turn) -> ConditionResult {
        ConditionResult::fail(code, format!("{} {does}", self.subject()), turn)
    }

    fn waits(&self) -> Turn {
        Turn::by_itself(format!("phasebot waits for {}", self.name))
    }

    /// Returns the turn of those who may act at the database.
    fn database_people(&self, act: &str) -> Turn {
        Turn::people(format!("someone who may deploy at {}", self.name), act)
    }

    /// Returns the turn of those who make another schema change.
    fn again(&self) -> Turn {
        Turn::people(self.ctx.makers(), format!("mend the schema, and open another schema change at {}", self.name))
    }

    /// Returns the database's reasons, as the end of a sentence.
    fn problems(&self) -> String {
        let all = &self.seen.problems;
        if all.is_empty() {
            return String::new();
        }
        let mut named: Vec<String> = all
            .iter()
            .take(MOST_PROBLEMS)
            .map(|problem| match &problem.table {
                Some(table) => format!("{} in {}", quoted(&problem.code), quoted(table)),
                None => quoted(&problem.code),
            })
            .collect();
        if all.len() > MOST_PROBLEMS {
            named.push(format!("{} more", all.len() - MOST_PROBLEMS));
        }
        format!(": {}", named.join(", "))
    }
}

/// Returns the time that is left, roughly, so that what is shown does not change with each answer.
fn left(seconds: Option<u64>) -> String {
    match seconds {
        None | Some(0) => String::new(),
        Some(..600) => ", less than ten minutes left".to_owned(),
        Some(..3600) => ", less than an hour left".to_owned(),
        Some(seconds) => format!(", less than {} hours left", seconds / 3600 + 1),
    }
}
