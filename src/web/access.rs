//! Who may see what.

use std::{net::IpAddr, sync::Arc};

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use http::{header, uri::Authority};

use crate::{
    port::store::RepositoryRow,
    web::{Web, answer::Failure, page::SignedIn},
};

/// Who may see what.
pub enum Access {
    /// Whoever reaches the address sees every repository. For a loopback address only.
    Open,
}

/// The person whom a request comes from.
pub(super) struct Visitor {
    /// The person; `None` if nobody has to sign in.
    pub(super) person: Option<SignedIn>,
}

impl Visitor {
    /// Returns whether the person may read the repository.
    pub(super) fn may_read(&self, row: &RepositoryRow) -> bool {
        // A repository that was taken from the App is not shown any more.
        row.active
    }
}

/// Finds out whom a request comes from.
pub(super) async fn guard(State(web): State<Arc<Web>>, mut request: Request, next: Next) -> Response {
    match &web.access {
        Access::Open => {
            if !names_this_machine(&request) {
                return Failure::OtherName.into_response();
            }
            request.extensions_mut().insert(Arc::new(Visitor { person: None }));
        }
    }
    next.run(request).await
}

/// Returns whether a request names this machine by address or as `localhost`. A page of another
/// site could have its own name point here (DNS rebinding), and would read what it asks for.
fn names_this_machine(request: &Request) -> bool {
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
