//! The demo's story: its events in order, and the expected phases.

use jiff::SignedDuration;

use crate::{cli::demo::stage::REPO, domain::id::ItemId};
use phasebot_forge_sim::{MergeMethod, NewCommit, NewDeployment, NewPull, NewRelease, Person, SimError, SimForge};

/// The customer's request.
pub(super) const ISSUE: ItemId = 1;
/// The pull request that implements it.
pub(super) const PULL: ItemId = 2;
/// The feedback issue that the alert creates.
pub(super) const FEEDBACK: ItemId = 3;

/// The pull request of the second service.
pub(super) const MAIL: ItemId = 4;

/// The policy that divides the repository into two services.
const SERVICES: &str = "\
services:
  shop: { paths: [\"invoice*\"] }
  mail: { paths: [\"mail/**\"], tags: [\"mail-v*\"], environments: [\"mail-*\"], label: service/mail }
environments:
  mail-production: { production: true }
";

const BEFORE: &str = "v1.3.0";
const AFTER: &str = "v1.4.0";
const BRANCH: &str = "feature/1-pay-by-invoice";

/// One step of the story.
pub(super) struct Step {
    /// Short title.
    pub(super) title: &'static str,
    /// Description of the event in one sentence.
    pub(super) told: &'static str,
    /// Simulated minutes since the previous step.
    pub(super) minutes: i64,
    /// Actions, one after the other; the bot finishes its work after each.
    pub(super) acts: Vec<Act>,
    /// Expected phase label of each item after the step; `None`: no label.
    pub(super) phases: Vec<(ItemId, Option<&'static str>)>,
}

/// An action of a step.
pub(super) enum Act {
    /// People or systems act on the forge.
    Do(fn(&mut Cast) -> Result<(), SimError>),
    /// Advance the clock.
    Minutes(i64),
    /// The forge delivers the first event about the issue again.
    Redeliver,
    /// The monitoring system posts an alert: `firing` or `resolved`.
    Alert(&'static str),
}

/// People and systems that take part, with their state.
pub(super) struct Cast {
    forge: SimForge,
    ada: Person,
    bob: Person,
    carol: Person,
    actions: Person,
    jenkins: Person,
    deployer: Person,
    merged: String,
    check: u64,
    deployment: u64,
}

impl Cast {
    /// Creates accounts and repository contents. There is no webhook yet, so nothing is delivered.
    pub(super) fn new(forge: &SimForge) -> Result<Self, SimError> {
        let bob = forge.person("bob", REPO)?;
        forge.set_role(REPO, "bob", "write")?;
        forge.set_role(REPO, "carol", "maintain")?;
        Ok(Self {
            forge: forge.clone(),
            ada: bob.colleague("ada"),
            carol: bob.colleague("carol"),
            actions: bob.colleague("github-actions"),
            jenkins: bob.colleague("jenkins"),
            deployer: bob.colleague("deployer[bot]"),
            bob,
            merged: String::new(),
            check: 0,
            deployment: 0,
        })
    }

    fn begin_deployment(&mut self, reference: &str, environment: &str) -> Result<(), SimError> {
        let new = NewDeployment {
            reference: reference.to_owned(),
            environment: environment.to_owned(),
            ..NewDeployment::default()
        };
        self.deployment = self.deployer.deployment(&new)?.made;
        self.deployer.deployment_status(self.deployment, "in_progress")?;
        Ok(())
    }

    fn end_deployment(&mut self) -> Result<(), SimError> {
        self.deployer.deployment_status(self.deployment, "success")?;
        Ok(())
    }
}

/// Returns the steps in order.
pub(super) fn steps() -> Vec<Step> {
    let mut steps = vec![installed(), asked(), redelivered(), branch(), pull(), review(), merged(), building()];
    steps.extend([tested(), released(), staging(), production(), live(), rolled_back(), retried(), quiet(), alarmed()]);
    steps.extend([divided(), mail(), mail_ships()]);
    steps
}

fn installed() -> Step {
    Step {
        title: "The bot arrives",
        told: "carol installs phasebot on acme/shop. v1.3.0 goes to production, as it always did.",
        minutes: 0,
        acts: vec![
            Act::Do(|cast| cast.forge.install("carol", &[REPO]).map(|_| ())),
            Act::Do(|cast| {
                cast.carol.tag(BEFORE, "main")?;
                cast.begin_deployment(BEFORE, "production")
            }),
            Act::Minutes(3),
            Act::Do(Cast::end_deployment),
        ],
        phases: vec![(ISSUE, None)],
    }
}

fn asked() -> Step {
    Step {
        title: "A customer asks",
        told: "ada, who has no rights here, opens an issue: \"Let us pay by invoice\".",
        minutes: 12,
        acts: vec![Act::Do(|cast| {
            let body = "Our accounting can't do cards.";
            cast.ada.open_issue("Let us pay by invoice", body, &[]).map(|_| ())
        })],
        phases: vec![(ISSUE, Some("plan"))],
    }
}

fn redelivered() -> Step {
    Step {
        title: "The same delivery again",
        told: "The forge sends what it has sent before, as it does when someone presses \"Redeliver\".",
        minutes: 1,
        acts: vec![Act::Redeliver],
        phases: vec![(ISSUE, Some("plan"))],
    }
}

fn branch() -> Step {
    Step {
        title: "Work begins",
        told: "bob pushes a branch that names the issue.",
        minutes: 75,
        acts: vec![Act::Do(|cast| {
            cast.bob.create_branch(BRANCH, "main")?;
            let files = vec![("invoice.rs".to_owned(), Some("pub fn invoice() {}\n".to_owned()))];
            cast.bob.push(BRANCH, &[NewCommit { message: "Add invoices".to_owned(), files }]).map(|_| ())
        })],
        phases: vec![(ISSUE, Some("code"))],
    }
}

fn pull() -> Step {
    Step {
        title: "A pull request",
        told: "bob opens a pull request that says \"Fixes #1\".",
        minutes: 130,
        acts: vec![Act::Do(|cast| {
            let (title, body) = ("Pay by invoice".to_owned(), "Fixes #1".to_owned());
            cast.bob.open_pull(&NewPull { head: BRANCH.to_owned(), title, body, ..NewPull::default() }).map(|_| ())
        })],
        phases: vec![(ISSUE, Some("code")), (PULL, Some("code"))],
    }
}

fn review() -> Step {
    Step {
        title: "A review",
        told: "carol approves. The built-in policy makes no phase of that; a repository's own may.",
        minutes: 40,
        acts: vec![Act::Do(|cast| cast.carol.approve(PULL).map(|_| ()))],
        phases: vec![(ISSUE, Some("code")), (PULL, Some("code"))],
    }
}

fn merged() -> Step {
    Step {
        title: "The merge",
        told: "carol merges. The forge closes the issue, which is on its way all the same.",
        minutes: 4,
        acts: vec![Act::Do(|cast| {
            cast.merged = cast.carol.merge_pull(PULL, MergeMethod::Squash)?.made;
            Ok(())
        })],
        phases: vec![(ISSUE, Some("build")), (PULL, Some("build"))],
    }
}

fn building() -> Step {
    Step {
        title: "Two systems build it",
        told: "GitHub Actions reports by check run, Jenkins by commit status. Both are still at it.",
        minutes: 1,
        acts: vec![Act::Do(|cast| {
            cast.check = cast.actions.start_check(&cast.merged, "unit tests")?.made;
            cast.jenkins.status(&cast.merged, "jenkins/integration", "pending").map(|_| ())
        })],
        phases: vec![(ISSUE, Some("build")), (PULL, Some("build"))],
    }
}

fn tested() -> Step {
    Step {
        title: "All green",
        told: "Both pass. A minute goes by in which nothing new is reported, then the bot believes it.",
        minutes: 6,
        acts: vec![
            Act::Do(|cast| cast.actions.complete_check(cast.check, "success").map(|_| ())),
            Act::Do(|cast| cast.jenkins.status(&cast.merged, "jenkins/integration", "success").map(|_| ())),
            Act::Minutes(2),
        ],
        phases: vec![(ISSUE, Some("test")), (PULL, Some("test"))],
    }
}

fn released() -> Step {
    Step {
        title: "A version",
        told: "carol tags v1.4.0 and publishes its release.",
        minutes: 25,
        acts: vec![Act::Do(|cast| {
            cast.carol.tag(AFTER, "main")?;
            cast.carol.release(&NewRelease { tag: AFTER.to_owned(), ..NewRelease::default() }).map(|_| ())
        })],
        phases: vec![(ISSUE, Some("release")), (PULL, Some("release"))],
    }
}

fn staging() -> Step {
    Step {
        title: "To staging",
        told: "v1.4.0 goes to staging. It is released, so that it is on its way now.",
        minutes: 5,
        acts: vec![
            Act::Do(|cast| cast.begin_deployment(AFTER, "staging")),
            Act::Minutes(2),
            Act::Do(Cast::end_deployment),
        ],
        phases: vec![(ISSUE, Some("deploy")), (PULL, Some("deploy"))],
    }
}

fn production() -> Step {
    Step {
        title: "To production",
        told: "The deployment to production is in progress.",
        minutes: 20,
        acts: vec![Act::Do(|cast| cast.begin_deployment(AFTER, "production"))],
        phases: vec![(ISSUE, Some("deploy")), (PULL, Some("deploy"))],
    }
}

fn live() -> Step {
    Step {
        title: "It is live",
        told: "The deployment succeeds: ada can pay by invoice.",
        minutes: 4,
        acts: vec![Act::Do(Cast::end_deployment)],
        phases: vec![(ISSUE, Some("operate")), (PULL, Some("operate"))],
    }
}

fn rolled_back() -> Step {
    Step {
        title: "A rollback",
        told: "Something else in v1.4.0 is wrong: v1.3.0 is deployed again. What it does not contain moves back.",
        minutes: 11,
        acts: vec![
            Act::Do(|cast| cast.begin_deployment(BEFORE, "production")),
            Act::Minutes(3),
            Act::Do(Cast::end_deployment),
        ],
        phases: vec![(ISSUE, Some("release")), (PULL, Some("release"))],
    }
}

fn retried() -> Step {
    Step {
        title: "The retry",
        told: "v1.4.0 is deployed again, and this time it stays.",
        minutes: 45,
        acts: vec![
            Act::Do(|cast| cast.begin_deployment(AFTER, "production")),
            Act::Minutes(3),
            Act::Do(Cast::end_deployment),
        ],
        phases: vec![(ISSUE, Some("operate")), (PULL, Some("operate"))],
    }
}

fn quiet() -> Step {
    Step {
        title: "Half an hour of quiet",
        told: "Nothing happens, and that is the news.",
        minutes: 0,
        acts: vec![Act::Minutes(31)],
        phases: vec![(ISSUE, Some("monitor")), (PULL, Some("monitor"))],
    }
}

fn alarmed() -> Step {
    Step {
        title: "The alert",
        told: "Then the cart grows slow. The monitoring system posts an alert that began ten minutes ago; the bot \
               files it, names what was deployed shortly before, and the soak starts again.",
        minutes: 0,
        acts: vec![Act::Alert("firing"), Act::Minutes(3)],
        phases: vec![(FEEDBACK, Some("plan")), (ISSUE, Some("operate")), (PULL, Some("operate"))],
    }
}

fn divided() -> Step {
    Step {
        title: "A second service",
        told: "The shop learns to send mail. carol commits a policy that names both services.",
        minutes: 60,
        acts: vec![Act::Do(|cast| {
            let files = vec![(".github/phasebot.yml".to_owned(), Some(SERVICES.to_owned()))];
            cast.carol.push("main", &[NewCommit { message: "Two services".to_owned(), files }]).map(|_| ())
        })],
        phases: vec![(PULL, Some("operate"))],
    }
}

fn mail() -> Step {
    Step {
        title: "A change of that service",
        told: "bob's next pull request touches files of `mail` only, and so it gets the label of that service.",
        minutes: 30,
        acts: vec![
            Act::Do(|cast| {
                cast.bob.create_branch("reminder", "main")?;
                let files = vec![("mail/reminder.rs".to_owned(), Some("pub fn remind() {}\n".to_owned()))];
                cast.bob.push("reminder", &[NewCommit { message: "Remind by mail".to_owned(), files }])?;
                let title = "Remind by mail".to_owned();
                let head = "reminder".to_owned();
                cast.bob.open_pull(&NewPull { head, title, ..NewPull::default() }).map(|_| ())
            }),
            Act::Minutes(5),
            Act::Do(|cast| cast.carol.merge_pull(MAIL, MergeMethod::Squash).map(|_| ())),
        ],
        phases: vec![(PULL, Some("operate")), (MAIL, Some("build"))],
    }
}

fn mail_ships() -> Step {
    Step {
        title: "One service ships",
        told: "mail-v1.0.0 goes to production. It contains the invoices, too, but moves nothing of the other service.",
        minutes: 15,
        acts: vec![
            Act::Do(|cast| cast.carol.tag("mail-v1.0.0", "main").map(|_| ())),
            Act::Minutes(2),
            Act::Do(|cast| cast.begin_deployment("mail-v1.0.0", "mail-production")),
            Act::Minutes(2),
            Act::Do(Cast::end_deployment),
        ],
        phases: vec![(PULL, Some("operate")), (MAIL, Some("operate"))],
    }
}

/// Converts minutes to a duration.
pub(super) fn minutes(count: i64) -> SignedDuration {
    SignedDuration::from_mins(count)
}
