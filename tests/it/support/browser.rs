//! Chromium, controlled with `chromedriver` through the WebDriver protocol
//! (<https://www.w3.org/TR/webdriver2/>).

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

/// Time-out for what takes a browser some moments.
const PATIENCE: Duration = Duration::from_mins(1);

/// JSON key of an element's id.
pub const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A headless browser. Dropping it ends it.
pub struct Chromium {
    driver: Child,
    http: reqwest::Client,
    session: String,
}

impl Chromium {
    pub async fn start() -> Self {
        let mut driver = Command::new("chromedriver")
            .args(["--port=0"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver is needed: Debian's package chromium-driver");
        let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines();
        let port: u16 = lines
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| line.rsplit_once("successfully on port ")?.1.trim_end_matches('.').parse().ok())
            .expect("chromedriver names its port");
        // A process that writes to a pipe blocks if nobody reads it.
        std::thread::spawn(move || lines.for_each(drop));
        let http = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
        let mut arguments =
            vec!["--headless=new", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--no-proxy-server"];
        if rustix::process::geteuid().is_root() {
            // The sandbox does not work for root.
            arguments.push("--no-sandbox");
        }
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome",
            "goog:chromeOptions": { "args": arguments },
            "goog:loggingPrefs": { "browser": "ALL" },
        } } });
        let mut browser = Self { driver, http, session: format!("http://127.0.0.1:{port}/session") };
        let made = browser.ask("", Some(wanted)).await.unwrap();
        browser.session = format!("{}/{}", browser.session, made["sessionId"].as_str().unwrap());
        browser
    }

    /// Sends a command of the DevTools protocol.
    pub async fn devtools(&self, command: &str, parameters: Value) -> Value {
        let body = json!({ "cmd": command, "params": parameters });
        self.ask("/goog/cdp/execute", Some(body)).await.unwrap()
    }

    /// Runs a script in the page, which may wait; returns its value.
    pub async fn run(&self, script: &str) -> Value {
        let parameters = json!({ "expression": script, "returnByValue": true, "awaitPromise": true });
        let done = self.devtools("Runtime.evaluate", parameters).await;
        assert!(done.get("exceptionDetails").is_none(), "{done}");
        done["result"]["value"].clone()
    }

    /// Sends a request to the driver: GET, or POST with a body.
    pub async fn ask(&self, path: &str, body: Option<Value>) -> Result<Value, String> {
        let url = format!("{}{path}", self.session);
        let request = match body {
            Some(body) => self.http.post(url).header("content-type", "application/json").body(body.to_string()),
            None => self.http.get(url),
        };
        let answer = request.send().await.map_err(|error| error.to_string())?;
        let (status, text) = (answer.status(), answer.text().await.map_err(|error| error.to_string())?);
        let mut said: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
        if status.is_success() { Ok(said["value"].take()) } else { Err(said["value"]["message"].to_string()) }
    }

    pub async fn open(&self, url: &str) {
        self.ask("/url", Some(json!({ "url": url }))).await.unwrap();
    }

    /// Waits until an element exists.
    pub async fn element(&self, selector: &str) -> String {
        let begun = Instant::now();
        loop {
            let found = self.ask("/element", Some(json!({ "using": "css selector", "value": selector }))).await;
            match found {
                Ok(element) => return element[ELEMENT].as_str().unwrap().to_owned(),
                Err(_) if begun.elapsed() < PATIENCE => tokio::time::sleep(Duration::from_millis(50)).await,
                Err(why) => panic!("no {selector} at {}: {why}\n{}", self.url().await, self.source().await),
            }
        }
    }

    /// Waits for an element and clicks it. If the page reloads and replaces the element in between,
    /// clicks the new one.
    pub async fn click(&self, selector: &str) {
        let begun = Instant::now();
        loop {
            let element = self.element(selector).await;
            match self.ask(&format!("/element/{element}/click"), Some(json!({}))).await {
                Ok(_) => return,
                Err(why) => assert!(begun.elapsed() < PATIENCE, "{selector} can't be clicked: {why}"),
            }
        }
    }

    pub async fn text(&self, selector: &str) -> String {
        let element = self.element(selector).await;
        self.ask(&format!("/element/{element}/text"), None).await.unwrap().as_str().unwrap().to_owned()
    }

    pub async fn url(&self) -> String {
        self.ask("/url", None).await.unwrap().as_str().unwrap().to_owned()
    }

    pub async fn source(&self) -> String {
        self.ask("/source", None).await.unwrap().as_str().unwrap().to_owned()
    }

    pub async fn tabs(&self) -> Vec<String> {
        let all = self.ask("/window/handles", None).await.unwrap();
        all.as_array().unwrap().iter().map(|tab| tab.as_str().unwrap().to_owned()).collect()
    }

    pub async fn go_to_tab(&self, tab: &str) {
        self.ask("/window", Some(json!({ "handle": tab }))).await.unwrap();
    }

    /// Returns the browser's error messages.
    pub async fn complaints(&self) -> Vec<String> {
        let all = self.ask("/se/log", Some(json!({ "type": "browser" }))).await.unwrap();
        all.as_array().unwrap().iter().map(|entry| entry["message"].to_string()).collect()
    }

    pub async fn end(&self) {
        let _ = self.http.delete(&self.session).send().await;
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
