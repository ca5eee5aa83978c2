//! Lines that say what the forge is like, or how it treats us from now on.

use std::collections::BTreeSet;

use phasebot_core::domain::{
    event::{CheckSource, RunOutcome},
    fact::deploy_request::RunFacts,
    needs::{Closer, FailedJob, RequiredCheck},
    permission::Role,
};

use super::{
    Forge,
    words::{after, number_after, outcome, time},
};

impl Forge {
    /// Follows a line that says what the forge is like; returns `false` if it says nothing of that
    /// kind.
    ///
    /// - `roles alice=write bob=read`: the roles that the forge reports; other accounts have `none`;
    /// - `team sre alice`: alice is a member of a team; `team sre left alice`: she no longer is;
    /// - `renamed ada bob`: the account `ada` is called `bob` from now on;
    /// - `readers bob`: accounts without write access;
    /// - `head COMMIT [fork]`: the head of a pull request, where it is asked for;
    /// - `mute people`, `mute teams`, `mute Named`, `mute everything`: it does not answer queries
    ///   about people, about teams, of a kind, or any, until `unmute`;
    /// - `deny people`, `deny teams`, `deny Checks`, `deny everything`: it refuses them, until `allow …`;
    /// - `outcome …`: the result of the next effect that something waits for (`effects.rs`);
    /// - `vanish 50`: an item is deleted without an event;
    /// - the others: what its answers tell.
    pub fn set(&mut self, w: &[String]) -> bool {
        match w[0].as_str() {
            "roles" => self.roles.extend(w[1..].iter().map(|word| {
                let (login, role) = word.split_once('=').unwrap();
                (self.accounts.id(login), Role::from_name(role).unwrap())
            })),
            "team" if w[2] == "left" => drop(self.teams.remove(&(w[1].clone(), self.accounts.id(&w[3])))),
            "team" => drop(self.teams.insert((w[1].clone(), self.accounts.id(&w[2])))),
            "head" => {
                let sha = self.sha(&w[1]);
                self.head = Some((sha, w.len() > 2));
            }
            "mute" => drop(self.muted.insert(w[1].clone())),
            "unmute" => self.muted.clear(),
            "allow" => drop(self.denied.remove(&w[1])),
            "deny" => drop(self.denied.insert(w[1].clone())),
            "outcome" => self.outcomes.push_back(w[1..].to_vec()),
            "vanish" => drop(self.vanished.insert(w[1].parse().unwrap())),
            "readers" => self.readers.extend(w[1..].iter().map(|login| self.accounts.id(login))),
            "renamed" => self.rename(&w[1], &w[2]),
            // `anonymous c1`: its address belongs to no account.
            "anonymous" => {
                let sha = self.sha(&w[1]);
                self.anonymous.insert(sha);
            }
            // `required ci e2e@9`: `e2e` has to come from the App 9.
            "required" => self.required.extend(w[1..].iter().map(|word| {
                let (name, app) = word.split_once('@').map_or((word.as_str(), None), |(name, app)| (name, Some(app)));
                RequiredCheck { name: name.to_owned(), source: app.map(|app| CheckSource(app.parse().unwrap())) }
            })),
            "milestone" => {
                let issues = w[2..].iter().map(|n| n.parse().unwrap()).collect();
                self.milestones.insert(w[1].clone(), issues);
            }
            "author" => {
                let sha = self.sha(&w[1]);
                let people = w[2..].iter().map(|login| self.accounts.account(login)).collect::<Vec<_>>();
                self.authors.entry(sha).or_default().extend(people);
            }
            // `unheard deployment on c1 run 850 at 08:12 ends success`
            "unheard" => {
                let at = after(w, "at").and_then(time).unwrap();
                let run = RunFacts {
                    sha: self.sha(after(w, "on").unwrap()),
                    trigger: w[1].clone().into(),
                    outcome: after(w, "ends").and_then(outcome).unwrap_or(RunOutcome::Running),
                    title: String::new(),
                    workflow: "deploy.yml".into(),
                    created_at: at,
                    at,
                    attempt: 1,
                    url: String::new(),
                    started_by: BTreeSet::new(),
                };
                self.unheard.insert(number_after(w, "run").unwrap(), run);
            }
            // `failed-job 801 deploy step Migrate`
            "failed-job" => {
                let run: u64 = w[1].parse().unwrap();
                let step = after(w, "step").map(str::to_owned);
                let url = format!("https://github.com/acme/shop/actions/runs/{run}/job/1#step:4:1");
                self.failed_jobs.insert(run, FailedJob { name: w[2].clone(), step, url });
            }
            // `files #7 web/a,api/b`, `files m1 web/a`, `files #8 cut`, `files b0..c3 web/a`
            "files" => {
                let change = match w[1].split_once("..") {
                    Some((base, head)) => format!("{}..{}", self.sha(base), self.sha(head)),
                    None if w[1].starts_with('#') => w[1].clone(),
                    None => self.sha(&w[1]).to_string(),
                };
                let files = w[2].split(',').map(str::to_owned).collect();
                self.files.insert(change, (w[2] != "cut").then_some(files));
            }
            // `never-began 801`: no job of the run began.
            "never-began" => {
                self.never_began.insert(w[1].parse().unwrap());
            }
            // `reviewed db`: somebody has to approve its schema changes.
            "reviewed" => drop(self.reviewed_databases.insert(w[1].clone())),
            "signed" => self.signed.extend(w[1..].iter().cloned()),
            "linked" => {
                let issues = w[2..].iter().map(|n| n.parse().unwrap()).collect();
                self.linked.insert(w[1].parse().unwrap(), issues);
            }
            // `closer 1 pull 2`, `closer 1 commit c1`
            "closer" => {
                let closer = match w[2].as_str() {
                    "pull" => Closer::Pull(w[3].parse().unwrap()),
                    _ => Closer::Commit(self.sha(&w[3])),
                };
                self.closers.insert(w[1].parse().unwrap(), closer);
            }
            "linked-branch" => {
                self.linked_branches.entry(w[1].parse().unwrap()).or_default().insert(w[2].clone());
            }
            _ => return false,
        }
        true
    }

    /// Renames an account; later events show the new name.
    fn rename(&mut self, from: &str, to: &str) {
        let id = self.accounts.id(from);
        self.accounts.rename(from, to);
        let items = self.items.values_mut().chain(self.pulls.values_mut().map(|pull| &mut pull.item));
        for author in items.filter_map(|item| item.author.as_mut()).filter(|author| author.id == Some(id)) {
            to.clone_into(&mut author.login);
        }
    }
}
