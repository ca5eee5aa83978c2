//! Address that a request comes from.

use std::net::{IpAddr, SocketAddr};

use axum::extract::ConnectInfo;
use http::{Extensions, HeaderMap};

/// Header in which a proxy tells for whom it asks.
const FORWARDED_FOR: &str = "x-forwarded-for";

/// Returns the address that a request comes from: as the proxy before us tells it, or the connection's. A
/// caller that reaches us without a proxy can make one up, and comes up against the limit of all.
pub(super) fn sender(headers: &HeaderMap, extensions: &Extensions) -> Option<IpAddr> {
    let told = headers.get_all(FORWARDED_FOR).iter().next_back();
    let told = told.and_then(|value| address(value.to_str().ok()?.rsplit(',').next()?.trim()));
    told.or_else(|| extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip()))
}

/// Reads an address; some proxies add the port.
fn address(text: &str) -> Option<IpAddr> {
    let bare = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    let with_port = || Some(text.parse::<SocketAddr>().ok()?.ip());
    text.parse().ok().or_else(with_port).or_else(bare)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_may_add_the_port() {
        let told = |text: &str| {
            let headers = HeaderMap::from_iter([(FORWARDED_FOR.parse().unwrap(), text.parse().unwrap())]);
            sender(&headers, &Extensions::new()).map(|address| address.to_string())
        };
        for text in ["203.0.113.7", "198.51.100.1, 203.0.113.7:51234", " 203.0.113.7 "] {
            assert_eq!(told(text).as_deref(), Some("203.0.113.7"), "{text}");
        }
        for text in ["2001:db8::1", "[2001:db8::1]", "[2001:db8::1]:443"] {
            assert_eq!(told(text).as_deref(), Some("2001:db8::1"), "{text}");
        }
        assert_eq!(told("unknown"), None);
    }
}
