//! Checks an installation's repositories, and collects what their policies need.

use std::collections::BTreeSet;

use crate::{
    cli::doctor::{Finding, Report, Verdict, gates, need::needs},
    domain::policy::{FILE, Policy},
    forge::github::{
        app_permissions::Grants,
        inspect::{Inspector, Installation, Repository},
    },
    policy::{self, Layer, Parsed, Rank},
    port::forge::ForgeError,
    settings::Settings,
};

/// Maximum number of repositories per installation whose policies are read.
const POLICIES: usize = 30;

/// Returns a finding if GitHub does not let the App read who has write access. Without that,
/// phasebot ignores reviews, commands and links of the people concerned.
async fn who_may_write(inspector: &Inspector, of: &Installation, repo: &Repository) -> Option<Finding> {
    match inspector.check_permission_query(of, repo).await {
        Err(ForgeError::Permanent(why)) => {
            let says = format!("GitHub does not say who may write, so no review, command or link counts: {why}");
            let remedy = "grant this installation metadata: read; if it is granted, an owner of the organisation has \
                          to let the App and this machine in (IP allow list, third-party access)";
            let finding = Finding::new("permissions", Verdict::Fail, says).about(&repo.full_name).remedy(remedy);
            Some(finding.link(format!("{}/permissions/update", of.html_url)))
        }
        // A transient error says nothing about permissions; other findings report it.
        Ok(()) | Err(_) => None,
    }
}

/// All repositories that were seen.
pub(super) struct Served {
    operator: Option<Parsed>,
    names: BTreeSet<String>,
    complete: bool,
}

impl Served {
    /// Starts without repositories. An unreadable operator's policy has already been reported.
    pub(super) fn new(settings: &Settings) -> Self {
        let read = |file: &std::path::PathBuf| std::fs::read_to_string(file).ok();
        let text = settings.policy_file.as_ref().and_then(read);
        let operator = text.and_then(|text| policy::parse("operator", &text).ok());
        Self { operator, names: BTreeSet::new(), complete: true }
    }

    /// Returns whether the App serves a repository.
    pub(super) fn has(&self, full_name: &str) -> bool {
        self.names.contains(&full_name.to_lowercase())
    }

    /// Returns whether all repositories were seen.
    pub(super) fn is_complete(&self) -> bool {
        self.complete
    }

    /// Checks an installation's repositories; returns everything that their policies need.
    pub(super) async fn look(
        &mut self,
        inspector: &Inspector,
        app: u64,
        of: &Installation,
        report: &mut Report,
    ) -> Grants {
        let mut wanted = Grants::base();
        let (repositories, total) = match inspector.repositories(of.id).await {
            Ok(page) => page,
            Err(error) => {
                self.complete = false;
                report.add(
                    Finding::new("installed", Verdict::Fail, error.to_string()).about(of.owner()).remedy("try again"),
                );
                return wanted;
            }
        };
        self.complete &= total <= repositories.len();
        self.names.extend(repositories.iter().map(|repo| repo.full_name.to_lowercase()));
        let live: Vec<&Repository> = repositories.iter().filter(|repo| !repo.archived).collect();
        let mut says = format!("on {total} repositor{}", if total == 1 { "y" } else { "ies" });
        if live.len() > POLICIES {
            says = format!("{says}; the policies of {POLICIES} are looked at");
        }
        report.add(Finding::new("installed", Verdict::Ok, says).about(of.owner()));
        let shared = match live.first() {
            Some(repo) => {
                let place = format!("{}/.github", of.owner());
                inspector.file(of.id, repo, Some(&place), FILE).await.ok().flatten().and_then(|file| file.text.ok())
            }
            None => None,
        };
        for repo in live.into_iter().take(POLICIES) {
            report.extend(who_may_write(inspector, of, repo).await);
            match inspector.file(of.id, repo, None, FILE).await {
                Ok(own) => {
                    let own = own.and_then(|file| file.text.ok());
                    match self.compile(shared.as_deref(), own.as_deref()) {
                        Ok(policy) => {
                            wanted.add(&needs(&policy));
                            let place = gates::Place { inspector, app, installation: of, repo };
                            report.extend(gates::check(&place, &policy).await);
                        }
                        Err(why) => {
                            let finding = Finding::new("policy", Verdict::Warn, format!("{FILE} is not right: {why}"));
                            let finding = finding
                                .about(&repo.full_name)
                                .remedy("the last good one stays in force; phasebot check shows the places");
                            report.add(finding.link(format!("{}/blob/{}/{FILE}", repo.html_url, repo.default_branch)));
                        }
                    }
                }
                Err(ForgeError::Permanent(why)) => {
                    report.add(
                        Finding::new("policy", Verdict::Note, format!("can't be read: {why}")).about(&repo.full_name),
                    );
                }
                Err(error) => {
                    report.add(
                        Finding::new("policy", Verdict::Warn, error.to_string())
                            .about(&repo.full_name)
                            .remedy("try again"),
                    );
                }
            }
        }
        wanted
    }

    /// Compiles the policy from these texts. Ignores an invalid organisation policy, which is
    /// reported in its own repository.
    fn compile(&self, shared: Option<&str>, own: Option<&str>) -> Result<Policy, String> {
        let first = |problems: Vec<policy::Problem>| problems.first().map(ToString::to_string).unwrap_or_default();
        let mut layers: Vec<Layer> =
            self.operator.iter().map(|parsed| Layer { rank: Rank::Operator, parsed: parsed.clone() }).collect();
        let shared = shared.and_then(|text| policy::parse("organisation", text).ok());
        layers.extend(shared.map(|parsed| Layer { rank: Rank::Organisation, parsed }));
        if let Some(text) = own {
            layers.push(Layer { rank: Rank::Repository, parsed: policy::parse(FILE, text).map_err(first)? });
        }
        policy::compile(&policy::merge(&layers)).map_err(first)
    }
}
