//! A client that keeps cookies as a browser does, and follows no redirect by itself.

use std::{collections::BTreeMap, net::SocketAddr, sync::Mutex};

use http::{HeaderMap, StatusCode};

/// An answer.
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: String,
}

impl Answer {
    /// Returns a header's value; empty if there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// Asks the pages at one address.
pub struct Client {
    http: reqwest::Client,
    address: SocketAddr,
    cookies: Mutex<BTreeMap<String, String>>,
}

impl Client {
    pub fn new(address: SocketAddr) -> Self {
        let http = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self { http, address, cookies: Mutex::default() }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(reqwest::Method::GET, path, &[]).await
    }

    pub async fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.send(reqwest::Method::GET, path, headers).await
    }

    pub async fn send(&self, method: reqwest::Method, path: &str, headers: &[(&str, &str)]) -> Answer {
        let request = self.http.request(method, format!("http://{}{path}", self.address));
        self.exchange(request, headers).await
    }

    /// Sends a form.
    pub async fn post(&self, path: &str, form: &str, headers: &[(&str, &str)]) -> Answer {
        let request = self.http.post(format!("http://{}{path}", self.address)).body(form.to_owned());
        self.exchange(request.header("content-type", "application/x-www-form-urlencoded"), headers).await
    }

    /// Returns an answer's headers and its compressed body.
    pub async fn packed(&self, path: &str) -> (HeaderMap, Vec<u8>) {
        let http = reqwest::Client::builder().no_proxy().no_gzip().build().unwrap();
        let request = http.get(format!("http://{}{path}", self.address)).header("accept-encoding", "gzip");
        let answer = request.send().await.unwrap();
        (answer.headers().clone(), answer.bytes().await.unwrap().to_vec())
    }

    /// Opens an address of another host, which gets no cookies.
    pub async fn follow(&self, address: &str) -> Answer {
        let answer = self.http.get(address).send().await.unwrap();
        let (status, headers) = (answer.status(), answer.headers().clone());
        Answer { status, headers, body: answer.text().await.unwrap() }
    }

    /// Returns the cookies as a browser sends them.
    pub fn cookies(&self) -> String {
        let all = self.cookies.lock().unwrap();
        all.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
    }

    pub fn forget_cookies(&self) {
        self.cookies.lock().unwrap().clear();
    }

    async fn exchange(&self, mut request: reqwest::RequestBuilder, headers: &[(&str, &str)]) -> Answer {
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let cookies = self.cookies();
        if !cookies.is_empty() && !headers.iter().any(|(name, _)| *name == "cookie") {
            request = request.header("cookie", cookies);
        }
        let answer = request.send().await.unwrap();
        for cookie in answer.headers().get_all("set-cookie") {
            let (name, rest) = cookie.to_str().unwrap().split_once('=').unwrap();
            let value = rest.split(';').next().unwrap().to_owned();
            let mut all = self.cookies.lock().unwrap();
            if rest.contains("Max-Age=0") {
                all.remove(name)
            } else {
                all.insert(name.to_owned(), value)
            };
        }
        let (status, headers) = (answer.status(), answer.headers().clone());
        Answer { status, headers, body: answer.text().await.unwrap() }
    }
}
