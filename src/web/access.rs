//! Who may see what.

use std::{net::IpAddr, sync::Arc};

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use http::{Method, header, uri::Authority};

use crate::{
    port::store::RepositoryRow,
    web::{
        Web,
        failure::Failure,
        page::SignedIn,
        session::{Session, Sessions},
    },
};

/// Who may see what.
pub enum Access {
    /// Whoever reaches the address sees every repository. For a loopback address only.
    Open,
    /// People sign in with their account on the forge, and see what it lets them read.
    SignIn(Box<Sessions>),
}

/// The person whom a request comes from.
pub(super) enum Visitor {
    /// Nobody has to sign in.
    Anyone,
    /// A person who signed in.
    Person {
        /// How the page names them.
        shown: SignedIn,
        /// Their session.
        session: Session,
    },
    /// An operator of the program, who may read every repository.
    Operator,
}

impl Visitor {
    /// Returns the person, as pages name them.
    pub(super) fn person(&self) -> Option<&SignedIn> {
        match self {
            Self::Anyone | Self::Operator => None,
            Self::Person { shown, .. } => Some(shown),
        }
    }
}

impl Web {
    /// Returns the repository of this name, if it is active and the visitor may read it.
    ///
    /// With sign-in, the forge is asked first, whether we know the name or not: a repository that
    /// is not there and one that may not be seen take the same way.
    pub(super) async fn readable(&self, visitor: &Visitor, full_name: &str) -> Result<Option<RepositoryRow>, Failure> {
        let allowed = match (&self.access, visitor) {
            (Access::Open, Visitor::Anyone) | (_, Visitor::Operator) => None,
            (Access::SignIn(sessions), Visitor::Person { session, .. }) => {
                match sessions.repository(session, full_name, self.clock.now()).await? {
                    Some(id) => Some(id),
                    None => return Ok(None),
                }
            }
            (Access::Open, Visitor::Person { .. }) | (Access::SignIn(_), Visitor::Anyone) => return Ok(None),
        };
        let row = self.store.repository_named(&self.forge, full_name).await?;
        // A former name finds nothing: another repository may get it.
        Ok(row.filter(|row| {
            row.active && row.full_name.eq_ignore_ascii_case(full_name) && allowed.is_none_or(|id| id == row.repo.id)
        }))
    }

    /// Keeps the repositories that the visitor may read.
    pub(super) async fn retain_readable(
        &self,
        visitor: &Visitor,
        rows: &mut Vec<RepositoryRow>,
    ) -> Result<(), Failure> {
        match (&self.access, visitor) {
            (Access::Open, Visitor::Anyone) | (_, Visitor::Operator) => rows.retain(|row| row.active),
            (Access::SignIn(sessions), Visitor::Person { session, .. }) => {
                let allowed = sessions.repositories(session, self.clock.now()).await?;
                rows.retain(|row| row.active && allowed.contains(&row.repo.id));
            }
            (Access::Open, Visitor::Person { .. }) | (Access::SignIn(_), Visitor::Anyone) => rows.clear(),
        }
        Ok(())
    }
}

/// Finds out whom a request comes from.
pub(super) async fn guard(State(web): State<Arc<Web>>, mut request: Request, next: Next) -> Response {
    let visitor = match &web.access {
        Access::Open if !names_this_machine(&request) => return Failure::OtherName.into_response(),
        Access::Open => Visitor::Anyone,
        Access::SignIn(sessions) => {
            match sessions.of_request(web.store.as_ref(), request.headers(), web.clock.now()).await {
                Ok(Some(session)) => Visitor::Person { shown: session.shown(), session },
                Ok(None) => {
                    let back = request.uri().path_and_query().map_or("/", |path| path.as_str()).to_owned();
                    let is_page = matches!(*request.method(), Method::GET | Method::HEAD);
                    return Failure::SignIn(if is_page { back } else { "/".to_owned() }).into_response();
                }
                Err(failure) => return failure.into_response(),
            }
        }
    };
    request.extensions_mut().insert(Arc::new(visitor));
    next.run(request).await
}

/// Returns whether a request names this machine by address or as `localhost`. A page of another
/// site could have its own name point here (DNS rebinding), and would read what it asks for.
pub(super) fn names_this_machine(request: &Request) -> bool {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let (host, more) = (hosts.next().and_then(|host| host.to_str().ok()), hosts.next());
    more.is_none() && host.is_some_and(is_own_name) && request.uri().host().is_none_or(is_own_name)
}

fn is_own_name(host: &str) -> bool {
    let Ok(authority) = host.parse::<Authority>() else { return false };
    if authority.as_str().contains('@') {
        return false;
    }
    let name = authority.host().trim_end_matches('.').to_ascii_lowercase();
    let address = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(&name);
    address.parse::<IpAddr>().is_ok() || name == "localhost"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_and_localhost_are_own_names() {
        for host in ["127.0.0.1:8081", "[::1]:8081", "localhost:8081", "LOCALHOST", "localhost."] {
            assert!(is_own_name(host), "{host}");
        }
        for host in ["", "evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "a@127.0.0.1", "[::1"] {
            assert!(!is_own_name(host), "{host}");
        }
    }
}
