//! Host check of the private address: requests must name it, and must not come from another site.
//!
//! A page in an operator's browser can reach what the browser reaches. With a host name of its own
//! that it points here (DNS rebinding) it could read answers; the `Host` header still has that
//! name. An IP address contains no name that anyone could point elsewhere.

use std::{net::IpAddr, sync::Arc};

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use http::{header, uri::Authority};

use crate::http::{ServerState, answer::Problem};

/// Set by browsers, never by pages.
const FETCH_SITE: &str = "sec-fetch-site";

/// Passes a request whose host is this address and that no other site sent.
pub(super) async fn own_names_only(
    State(state): State<Arc<ServerState>>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let configured = state.admin.as_ref().map(|admin| admin.hosts.as_slice()).unwrap_or_default();
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let (host, more) = (hosts.next().and_then(|host| host.to_str().ok()), hosts.next());
    let named = request.uri().host();
    let is_ours = host.is_some_and(|host| is_own_name(host, configured))
        && more.is_none()
        && named.is_none_or(|named| is_own_name(named, configured));
    if !is_ours {
        return Err(Problem::OtherName);
    }
    let site = request.headers().get(FETCH_SITE).map(|site| site.as_bytes().to_ascii_lowercase());
    if site.is_some_and(|site| site != b"same-origin" && site != b"none") {
        return Err(Problem::CrossSite);
    }
    Ok(next.run(request).await)
}

/// Returns whether a `Host` is an IP address, a loopback name, or a configured name.
fn is_own_name(host: &str, configured: &[String]) -> bool {
    let Ok(authority) = host.parse::<Authority>() else { return false };
    if authority.as_str().contains('@') {
        return false;
    }
    let name = authority.host().trim_end_matches('.').to_ascii_lowercase();
    let address = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(&name);
    address.parse::<IpAddr>().is_ok() || name == "localhost" || configured.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_names_are_addresses_localhost_and_what_is_configured() {
        let configured = ["metrics.internal".to_owned()];
        for host in [
            "127.0.0.1:9090",
            "127.0.0.1",
            "[::1]:9090",
            "10.1.2.3:9090",
            "localhost:9090",
            "LOCALHOST",
            "localhost.",
            "Metrics.Internal:80",
        ] {
            assert!(is_own_name(host, &configured), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "localhost.evil.example",
            "evil.example:9090",
            "127.0.0.1.evil.example",
            "127.0.0.1@evil.example",
            "metrics.internal.evil.example",
            "0x7f.1",
            "localhost,evil.example",
            "[::1",
        ] {
            assert!(!is_own_name(host, &configured), "{host}");
        }
    }
}
