//! Deploys of the item's change: what waits, what runs, what failed or was taken back, and what
//! each environment has now.

use std::fmt::Write as _;

use crate::{
    command::{
        environments,
        status_comment::{MOST_LISTED, StatusComment, list, state::Heading},
    },
    context::rights::WRITERS,
    deploy,
    domain::{
        decision::{Condition, Decision},
        fact::{
            command::{ALL, Guard},
            deploy_request::{DeployRequest, Origin, RequestEnd, RequestKind, RequestState},
        },
        id::Sha,
        turn::{Act, Turn},
    },
    environment::{foreign::is_foreign, history::Run},
    gate::{approvers, condition_order, missing_approval, sentence_of, turn_of},
    text::{
        links::run_link,
        message::{cell, command_line, count, deployment_name, person, quoted, reason},
        people, sanitize,
    },
};

/// Limit on the foreign deployments in one comment.
const MOST_FOREIGN: usize = 5;

/// State of the item's deploys.
#[derive(Default)]
pub(super) struct Deploys {
    /// For the heading; `None`: nothing of a deploy stands out.
    pub(super) heading: Option<Heading>,
    /// A paragraph each.
    pub(super) lines: Vec<String>,
}

impl StatusComment<'_, '_> {
    /// Returns what stands out: open requests first, then what failed or was taken back.
    pub(super) fn deploys(&self) -> Deploys {
        let mut deploys = Deploys::default();
        let open = self.eval.facts.open_requests().filter(|(_, r)| self.is_own(r) && !r.dry_run);
        let mut open: Vec<_> = open.collect();
        open.sort_by_key(|(id, request)| (request.at, (*id).clone()));
        for (_, request) in open.iter().take(MOST_LISTED) {
            self.open(request, &mut deploys);
        }
        for environment in self.names() {
            let is_open = open.iter().any(|(_, request)| request.environment == environment);
            if !is_open {
                self.last(&environment, &mut deploys);
            }
        }
        deploys
    }

    /// Returns whether a deploy was asked for on this item, or started by itself when its change landed
    /// or was tagged.
    fn is_own(&self, request: &DeployRequest) -> bool {
        let landed = || self.landings.iter().any(|landing| Some(&landing.sha) == request.sha.as_ref());
        match &request.origin {
            Origin::Command(_) | Origin::Label(_) => request.item() == Some(self.derived.item),
            Origin::Tag(_) | Origin::Merge(_) => landed(),
            Origin::Incident(_) => false,
        }
    }

    /// Returns who or what asked for a deploy, and when.
    fn origin(&self, request: &DeployRequest) -> String {
        let at = self.times.at(request.at);
        match &request.origin {
            Origin::Command(_) => format!("asked for by {} at {at}", self.asker(request)),
            Origin::Tag(tag) => format!("for the tag {}, pushed at {at}", quoted(tag)),
            Origin::Merge(branch) => format!("for the push to {} at {at}", quoted(branch)),
            Origin::Incident(_) => format!("because of an incident, at {at}"),
            Origin::Label(pull) => format!("for the label on #{pull}, at {at}"),
        }
    }

    fn open(&self, request: &DeployRequest, deploys: &mut Deploys) {
        let (environment, what) = (quoted(&request.environment), deploy::what(request));
        let run = self.run_of(request).map(|run| format!(" · {run}")).unwrap_or_default();
        let (heading, line) = match &request.state {
            RequestState::Running | RequestState::Starting(_) | RequestState::Ended { .. } => {
                let words = match request.kind {
                    RequestKind::Deploy | RequestKind::Promote => "deploying to",
                    RequestKind::Rollback => "rolling back",
                };
                let line = format!("⏳ **The {what}** is under way {}{run}", self.since(request.since));
                let waits = self.run_of(request).unwrap_or_else(|| "the workflow run".to_owned());
                let turn = Turn::by_itself(format!("phasebot waits for the {}", waits.trim_start_matches("the ")));
                (Heading { state: format!("{words} {environment}"), turn }, line)
            }
            RequestState::Asked => {
                let state = format!("deploy to {environment} asked for");
                (Heading { state, turn: Turn::asking() }, format!("⏳ **The {what}** starts soon"))
            }
            RequestState::Waiting(why) => self.waiting(request, &what, why),
        };
        deploys.heading.get_or_insert(heading);
        deploys.lines.push(line);
    }

    /// Returns the heading and the line of a request that waits: whose turn it is comes first.
    fn waiting(&self, request: &DeployRequest, what: &str, why: &str) -> (Heading, String) {
        let environment = quoted(&request.environment);
        let waits = |turn: Turn| Heading { state: format!("deploy to {environment} waits"), turn };
        let Some(sha) = &request.sha else { return (waits(Turn::asking()), String::new()) };
        let gate = crate::domain::decision::GateName::Deploy(request.environment.clone());
        let gates = &self.eval.facts.gates;
        let decision = gates.get(&(gate, sha.clone())).filter(|known| known.live).map(|known| &known.decision);
        let blocking =
            decision.map(condition_order::blocking).filter(|_| !deploy::waits_for_another(why)).unwrap_or_default();
        let details = self.links.checks(sha, "details");
        let by = self.origin(request);
        let heading = match blocking.first() {
            Some(first) => Heading { state: self.blocked(request, first), turn: self.turn_at(decision, first) },
            None if why.is_empty() => waits(Turn::by_itself("phasebot starts it soon")),
            None => waits(Turn::by_itself("phasebot starts it when its turn comes")),
        };
        // Locks, freezes and the item's own holds are listed below, each with the command that ends it.
        let is_held = request.item().is_some_and(|item| !self.eval.facts.holds(item).is_empty());
        let is_guard = |condition: &&Condition| match condition.name.as_str() {
            "lock" | "freeze" => true,
            name => name == "hold" && is_held,
        };
        let others: Vec<&Condition> = blocking.iter().copied().filter(|condition| !is_guard(condition)).collect();
        let symbol = blocking.first().map_or("⏳", |condition| condition_order::symbol(condition));
        let mut line = match (blocking.as_slice(), others.as_slice()) {
            ([], _) if why.is_empty() => format!("⏳ **The {what}** starts soon ({by})"),
            ([], _) => format!("⏳ **The {what}** waits: {why} ({by})"),
            // The heading says whose turn it is.
            ([_], [one]) => {
                format!("{symbol} **The {what}** waits: {} ({by}) · {details}", one.sentence.trim_end_matches('.'))
            }
            _ => format!("{symbol} **The {what}** starts when this is settled ({by}) · {details}"),
        };
        if blocking.len() > 1 && !others.is_empty() {
            line.push_str("\n\n");
            for condition in others.iter().take(MOST_LISTED) {
                let _ =
                    writeln!(line, "- {} {}", condition_order::symbol(condition), sentence_of(condition, &self.links));
            }
            line.truncate(line.trim_end().len());
        }
        (heading, line)
    }

    /// Returns whose turn it is at a gate that this condition closes first.
    fn turn_at(&self, decision: Option<&Decision>, first: &Condition) -> Turn {
        let all = decision.and_then(missing_approval::of_gate);
        match (missing_approval::of_condition(first), all, turn_of(first, &self.links)) {
            (Some(_), Some(all), Turn::People { act, .. }) => {
                Turn::people(all.words(&|one| approvers(one, |team| self.links.team(team))), act)
            }
            (_, _, turn) => turn,
        }
    }

    /// Returns the state of a request that waits for this condition first.
    fn blocked(&self, request: &DeployRequest, first: &Condition) -> String {
        let (facts, now, environment) = (self.eval.facts, self.eval.now, quoted(&request.environment));
        let by = |guard: Option<&Guard<'_>>| {
            guard.map_or_else(String::new, |guard| format!(" by {}", person(&guard.by.login)))
        };
        if missing_approval::of_condition(first).is_some() {
            return format!("deploy to {environment} needs an approval");
        }
        match first.name.as_str() {
            "hold" => {
                let holds = request.item().map(|item| facts.holds(item)).unwrap_or_default();
                let why = holds.first().map_or_else(String::new, |hold| reason(hold.reason));
                match holds.len() {
                    0 | 1 => format!("deploys are on hold{}{why}", by(holds.first())),
                    several => format!(
                        "deploys are on hold{}{why}, and {} more",
                        by(holds.first()),
                        count(several - 1, "hold")
                    ),
                }
            }
            "lock" => format!("{environment} is locked{}", by(facts.lock(&request.environment, now).as_ref())),
            "freeze" => {
                let freezes = facts.freezes(now);
                let freeze = freezes.get(request.environment.as_str()).or_else(|| freezes.get(ALL));
                format!("{environment} is frozen{}", by(freeze))
            }
            "reviews" => format!("deploy to {environment} needs a review"),
            "blockers" => format!("deploy to {environment} is blocked by an issue"),
            "alerts" => format!("deploy to {environment} is blocked by an incident"),
            _ => format!("deploy to {environment} waits: {}", first.sentence.trim_end_matches('.')),
        }
    }

    /// Adds that the last deploy of this change to an environment failed, or was rolled back.
    fn last(&self, environment: &str, deploys: &mut Deploys) {
        let facts = self.eval.facts;
        let ended = facts.requests_for(environment).filter(|(_, request)| {
            !request.dry_run
                && request.started_at.is_some()
                && matches!(request.end(), Some(RequestEnd::Succeeded | RequestEnd::Failed))
        });
        let Some((id, request)) = ended.max_by_key(|(_, request)| request.since) else { return };
        let runs_here = |sha: &Sha| self.carries(sha) == Some(true);
        let current = self.eval.history(environment).current();
        if current.and_then(|run| run.commit).is_some_and(runs_here) {
            return;
        }
        let name = quoted(environment);
        let (by, at) = (self.asker(request), self.times.at(request.since));
        let run = self.run_of(request).map(|run| format!(" · {run}")).unwrap_or_default();
        let to = request.sha.as_ref();
        match (request.kind, request.end()) {
            (RequestKind::Rollback, Some(RequestEnd::Succeeded)) => {
                let took_back = request.from.as_ref().is_some_and(runs_here) && to.is_some_and(|to| !runs_here(to));
                if !took_back {
                    return;
                }
                let to = to.map_or_else(String::new, |to| format!(" to {}", self.links.commit(to)));
                let lock = facts.locks(self.eval.now).contains_key(environment);
                let fix = Act::from(format!("merge a fix for #{}", self.derived.item));
                let unlock = command_line(&["unlock", environment]);
                let (locked, act) = if lock {
                    (", which is locked", fix.and(", then comment ").with(unlock).and(" here"))
                } else {
                    ("", fix)
                };
                let turn = Turn::people(self.author(), act);
                deploys.heading.get_or_insert(Heading { state: format!("rolled back from {name}{locked}"), turn });
                deploys
                    .lines
                    .push(format!("↩️ {by} rolled {name} back{to} at {at}{run}. This change no longer runs there."));
            }
            (RequestKind::Deploy | RequestKind::Promote, Some(RequestEnd::Failed)) => {
                let Some(to) = to.filter(|to| runs_here(to) || request.item() == Some(self.derived.item)) else {
                    return;
                };
                let turn = match &request.state {
                    RequestState::Ended { why, .. } => why.turn.clone().read_on(self.derived.item),
                    RequestState::Asked
                    | RequestState::Waiting(_)
                    | RequestState::Starting(_)
                    | RequestState::Running => Turn::Untold,
                };
                deploys.heading.get_or_insert(Heading { state: format!("deploy to {name} failed"), turn });
                let step = deploy::failed_step(facts, id, request).map(|step| format!(", {step}")).unwrap_or_default();
                deploys.lines.push(format!(
                    "❌ **The deploy of {} to {name} failed** at {at} ({}){run}{step}",
                    self.links.commit(to),
                    self.origin(request),
                ));
            }
            _ => {}
        }
    }

    /// Returns the item's author, or words for it.
    fn author(&self) -> String {
        people::authors(self.eval.facts, &[self.derived.item]).unwrap_or_else(|| WRITERS.to_owned())
    }

    fn asker(&self, request: &DeployRequest) -> String {
        let by = person(&request.by.login);
        match &request.origin {
            Origin::Command(id) => self.links.command(*id, &by),
            Origin::Tag(_) | Origin::Merge(_) | Origin::Incident(_) | Origin::Label(_) => by,
        }
    }

    /// Returns a link to the workflow run of a request.
    fn run_of(&self, request: &DeployRequest) -> Option<String> {
        run_link(self.eval.facts, request)
    }

    /// Returns a short link to the workflow run of a request.
    fn run_page(&self, request: &DeployRequest) -> Option<String> {
        let run = self.eval.facts.runs.get(&request.run?)?;
        sanitize::link(&run.url).map(|page| format!("[run]({page})"))
    }

    /// Returns the environments that the policy or the record names, production last.
    pub(super) fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = environments::names(self.eval).into_iter().map(str::to_owned).collect();
        names.sort_by_key(|name| (self.eval.policy.production(name) == Some(true), name.clone()));
        names.dedup();
        names.truncate(MOST_LISTED);
        names
    }

    /// Adds what runs in each environment, if the item's change runs in one, or no longer does.
    pub(super) fn environments(&self, text: &mut String) {
        let runs: Vec<(String, Run<'_>)> = self
            .names()
            .into_iter()
            .filter_map(|name| Some((name.clone(), self.eval.history(&name).current()?)))
            .collect();
        let carries: Vec<Option<bool>> = runs.iter().map(|(_, run)| self.carries(run.commit?)).collect();
        if !runs.is_empty()
            && (carries.contains(&Some(true)) || !self.landings.is_empty() && self.deploys().heading.is_some())
        {
            let _ = writeln!(text, "\n| Environment | Runs | Since |\n| --- | --- | --- |");
            for ((name, run), carries) in runs.iter().zip(carries) {
                let commit =
                    run.commit.map_or_else(|| "a commit that is not known".to_owned(), |sha| self.links.commit(sha));
                let what = match carries {
                    Some(true) => format!("this change, {commit}"),
                    Some(false) => format!("{commit}, without this change"),
                    None => commit,
                };
                let request = self.eval.facts.request_of(run.deployment).map(|(_, request)| request);
                let page = request.and_then(|request| self.run_page(request)).map(|run| format!(" · {run}"));
                let (name, since) = (cell(&quoted(name)), self.times.at(run.from));
                let _ = writeln!(text, "| {name} | {what} | {since}{} |", page.unwrap_or_default());
            }
        }
        let foreign = self.foreign();
        if !foreign.is_empty() {
            let _ = writeln!(text, "\nJobs of this pull request created deployments that put nothing there:");
            list(text, &foreign);
        }
    }

    /// Returns the deployments that jobs of this pull request created.
    fn foreign(&self) -> Vec<String> {
        let facts = self.eval.facts;
        let heads = facts.pull(self.derived.item).into_iter().flat_map(|pull| pull.heads.keys());
        let made = heads.flat_map(|sha| facts.deployments.index().by_commit.of(sha).map(move |id| (sha, id)));
        let made = made.filter_map(|(sha, id)| Some((sha, id, facts.deployments.get(id)?)));
        let foreign = made.filter(|(_, id, deployment)| is_foreign(facts, **id, deployment));
        let row = |(sha, id, deployment): (&Sha, &u64, &crate::domain::fact::deployment::DeploymentFacts)| {
            format!("- {} of {} to {}", deployment_name(*id), self.links.commit(sha), quoted(&deployment.environment))
        };
        foreign.take(MOST_FOREIGN).map(row).collect()
    }
}
