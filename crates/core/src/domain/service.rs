//! Services of a repository: which paths, tags and environments belong to which.

use std::collections::BTreeSet;

use crate::domain::{
    pattern::Pattern,
    policy::Policy,
    rule::{AutoRule, ServiceRule},
};

/// The part of a repository for which evidence is collected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope<'p> {
    /// All of it: the policy has no services.
    Everything,
    /// One service.
    Service(&'p str),
    /// Everything that no service claims.
    Unclaimed,
}

impl<'p> Scope<'p> {
    /// Returns the service's name, if it is one.
    pub fn service_name(self) -> Option<&'p str> {
        match self {
            Self::Service(name) => Some(name),
            Self::Everything | Self::Unclaimed => None,
        }
    }
}

impl Policy {
    /// Returns the services whose files these paths are among; a shared path is among those of all.
    pub fn touched<'a>(&self, paths: impl Iterator<Item = &'a str>) -> BTreeSet<&str> {
        let mut found: BTreeSet<&str> = BTreeSet::new();
        for path in paths {
            let matches = |patterns: &[Pattern]| patterns.iter().any(|pattern| pattern.matches(path));
            if matches(&self.shared) {
                return self.services.keys().map(String::as_str).collect();
            }
            let touched = self.services.iter().filter(|(_, service)| matches(&service.paths));
            found.extend(touched.map(|(name, _)| name.as_str()));
        }
        found
    }

    /// Returns whether a tag counts for a scope.
    pub fn scope_takes_tag(&self, scope: Scope<'_>, tag: &str) -> bool {
        self.takes(scope, tag, |service| &service.tags)
    }

    /// Returns whether an environment (lower case) counts for a scope.
    pub fn scope_takes_environment(&self, scope: Scope<'_>, environment: &str) -> bool {
        self.takes(scope, environment, |service| &service.environments)
    }

    /// Returns whether a tag starts an automatic deployment to an environment (lower case): one of
    /// those that its rule names, or else of a scope for which the environment counts.
    pub fn auto_takes_tag(&self, environment: &str, auto: &AutoRule, tag: &str) -> bool {
        match auto.tags {
            Some(_) => auto.takes_tag(tag),
            None => self
                .scopes()
                .any(|scope| self.auto_takes_scope(environment, auto, scope) && self.scope_takes_tag(scope, tag)),
        }
    }

    /// Returns whether changes of a scope start an automatic deployment to an environment (lower
    /// case): one of the services that its rule names, or else a scope for which the environment
    /// counts.
    pub fn auto_takes_scope(&self, environment: &str, auto: &AutoRule, scope: Scope<'_>) -> bool {
        match &auto.services {
            Some(named) => scope.service_name().is_some_and(|name| named.iter().any(|known| known == name)),
            None => self.scope_takes_environment(scope, environment),
        }
    }

    /// Returns every scope.
    fn scopes(&self) -> impl Iterator<Item = Scope<'_>> {
        let rest = if self.services.is_empty() { Scope::Everything } else { Scope::Unclaimed };
        self.services.keys().map(|name| Scope::Service(name)).chain([rest])
    }

    /// Returns whether a change that touches these services (none: files of no service) belongs to
    /// a scope that `takes` accepts.
    pub fn any_scope(&self, touched: &BTreeSet<&str>, takes: impl Fn(Scope<'_>) -> bool) -> bool {
        if touched.is_empty() {
            return takes(Scope::Unclaimed);
        }
        touched.iter().any(|service| takes(Scope::Service(service)))
    }

    fn takes(&self, scope: Scope<'_>, name: &str, list: fn(&ServiceRule) -> &Vec<Pattern>) -> bool {
        let is_claimed = |service: &ServiceRule| list(service).iter().any(|pattern| pattern.matches(name));
        let unclaimed = || !self.services.values().any(is_claimed);
        match scope {
            Scope::Everything => true,
            Scope::Unclaimed => unclaimed(),
            Scope::Service(service) => match self.services.get(service) {
                Some(service) if list(service).is_empty() => unclaimed(),
                service => service.is_some_and(is_claimed),
            },
        }
    }

    /// Returns the scope of an environment (lower case): the service that claims it. Of several, it
    /// belongs to the first by name.
    pub fn scope_of_environment(&self, environment: &str) -> Scope<'_> {
        self.scope_of(environment, |service| &service.environments)
    }

    /// Returns the scope of a tag: the service that claims it.
    pub fn scope_of_tag(&self, tag: &str) -> Scope<'_> {
        self.scope_of(tag, |service| &service.tags)
    }

    fn scope_of(&self, name: &str, list: fn(&ServiceRule) -> &Vec<Pattern>) -> Scope<'_> {
        let claims = |service: &ServiceRule| list(service).iter().any(|pattern| pattern.matches(name));
        match self.services.iter().find(|(_, service)| claims(service)) {
            Some((service, _)) => Scope::Service(service),
            None if self.services.is_empty() => Scope::Everything,
            None => Scope::Unclaimed,
        }
    }
}
