//! Protection of the private address against pages in an operator's browser.

use super::house::{House, limits};

fn get(path: &str, headers: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\n{headers}\r\n").into_bytes()
}

#[tokio::test]
async fn the_private_address_answers_only_to_its_own_names() {
    let house = House::open(limits()).await;
    let private = House { public: house.admin, ..house };
    let port = private.public.port();
    for host in [format!("127.0.0.1:{port}"), format!("localhost:{port}"), "LocalHost".into(), "[::1]:9090".into()] {
        let answer = private.ask(&get("/metrics", &format!("Host: {host}\r\n"))).await;
        assert_eq!(answer.status, 200, "{host}");
    }
    // DNS rebinding: the page's own name resolves to this machine, and its requests carry it.
    for path in ["/metrics", "/admin/status", "/admin/deliveries", "/nothing"] {
        for host in ["evil.example", "evil.example:9090", "localhost.evil.example", ""] {
            let answer = private.ask(&get(path, &format!("Host: {host}\r\n"))).await;
            assert!(matches!(answer.status, 400 | 421), "{path} by {host}: {}", answer.status);
        }
    }
    let refused = private.ask(&get("/metrics", "Host: evil.example\r\n")).await;
    assert_eq!((refused.status, refused.json()["error"]["code"].as_str()), (421, Some("other_host")));
    let absolute = b"GET http://evil.example/metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";
    assert!(matches!(private.ask(absolute).await.status, 400 | 421));
}

#[tokio::test]
async fn pages_of_other_sites_read_nothing_of_the_private_address() {
    let house = House::open(limits()).await;
    let private = House { public: house.admin, ..house };
    for (site, status) in
        [("cross-site", 403), ("Cross-Site", 403), ("same-site", 403), ("same-origin", 200), ("none", 200)]
    {
        let answer = private.ask(&get("/metrics", &format!("Host: localhost\r\nSec-Fetch-Site: {site}\r\n"))).await;
        assert_eq!(answer.status, status, "{site}");
    }
    // No answer allows another origin to read or send anything.
    for request in [
        get("/metrics", "Host: localhost\r\nOrigin: https://evil.example\r\n"),
        b"OPTIONS /metrics HTTP/1.1\r\nHost: localhost\r\nOrigin: https://evil.example\r\nAccess-Control-Request-Method: GET\r\n\r\n".to_vec(),
        b"OPTIONS /admin/pause HTTP/1.1\r\nHost: localhost\r\nOrigin: https://evil.example\r\nAccess-Control-Request-Method: POST\r\n\r\n".to_vec(),
    ] {
        let answer = private.ask(&request).await;
        assert!(!answer.head.to_ascii_lowercase().contains("access-control"), "{}", answer.head);
    }
}
