//! The simulated forge, the program as a process, and a client that submits forms.

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{
        Arc, LazyLock,
        mpsc::{Receiver, channel},
    },
    time::Duration,
};

use phasebot::app::clock::SystemClock;
use phasebot_forge_sim::{AppKey, Options, Sending, SimForge};
use tempfile::TempDir;

/// Time-out for steps that normally take less.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// One key for all tests, because generating one takes a while.
static KEY: LazyLock<AppKey> = LazyLock::new(|| AppKey::generate().unwrap().1);

/// Creates a simulated GitHub Enterprise Server with one organisation and its repository.
pub async fn forge() -> SimForge {
    let mut options = Options::new(1, KEY.clone(), "unused".to_owned().into(), Arc::new(SystemClock));
    "/api/v3".clone_into(&mut options.base_path);
    "another-app".clone_into(&mut options.slug);
    options.sending = Sending::AtOnce;
    let forge = SimForge::start(options).await.unwrap();
    forge.create_repo("acme/shop").unwrap();
    forge
}

/// A running `phasebot setup`. Dropping it kills the process.
pub struct Setup {
    child: Child,
    lines: Receiver<String>,
    /// Everything that it has written so far.
    pub said: String,
    /// Directory for its files.
    pub folder: TempDir,
}

impl Setup {
    /// Starts it in an empty directory.
    pub fn start(forge: &SimForge, more: &[&str]) -> Self {
        Self::start_in(TempDir::new().unwrap(), forge, more)
    }

    /// Starts it in a directory.
    pub fn start_in(folder: TempDir, forge: &SimForge, more: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_phasebot"))
            .args(["setup", "--github-url", &forge.web_url()])
            .args(more)
            .env_clear()
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, lines) = channel();
        let out = child.stdout.take().unwrap();
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self { child, lines, said: String::new(), folder }
    }

    /// Waits for a line that contains `part`, and returns it.
    pub fn line(&mut self, part: &str) -> String {
        loop {
            let Ok(line) = self.lines.recv_timeout(PATIENCE) else {
                panic!("no line with {part:?}:\n{}", self.said);
            };
            self.said.push_str(&line);
            self.said.push('\n');
            if line.contains(part) {
                return line;
            }
        }
    }

    /// Returns the address of its page.
    pub fn page(&mut self) -> String {
        self.line("http://127.0.0.1:").trim().to_owned()
    }

    /// Waits for its end; returns its exit status and stderr.
    pub fn end(&mut self) -> (ExitStatus, String) {
        while let Ok(line) = self.lines.recv_timeout(PATIENCE) {
            self.said.push_str(&line);
            self.said.push('\n');
        }
        let status = self.child.wait().unwrap();
        let mut err = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
        (status, err)
    }

    /// Interrupts it as Ctrl-C does.
    pub fn interrupt(&self) {
        let pid = i32::try_from(self.child.id()).unwrap();
        rustix::process::kill_process(rustix::process::Pid::from_raw(pid).unwrap(), rustix::process::Signal::INT)
            .unwrap();
    }

    /// Returns the names and modes of the files that it left.
    pub fn files(&self) -> Vec<(String, u32)> {
        let mut found: Vec<(String, u32)> = fs::read_dir(self.folder.path())
            .unwrap()
            .map(|entry| entry.unwrap())
            .map(|entry| {
                (entry.file_name().into_string().unwrap(), entry.metadata().unwrap().permissions().mode() & 0o777)
            })
            .collect();
        found.sort();
        found
    }

    /// Returns the variables in the environment file.
    pub fn variables(&self) -> Vec<(String, String)> {
        let text = fs::read_to_string(self.env_file()).unwrap();
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        lines.map(|line| line.split_once('=').unwrap()).map(|(n, v)| (n.to_owned(), v.to_owned())).collect()
    }

    /// Returns one of the variables.
    pub fn variable(&self, name: &str) -> String {
        self.variables().into_iter().find(|(n, _)| n == name).unwrap_or_else(|| panic!("no {name}")).1
    }

    /// Returns the path of the environment file.
    pub fn env_file(&self) -> PathBuf {
        self.folder.path().join("phasebot.env")
    }
}

impl Drop for Setup {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A client that does what a browser does, step by step.
pub struct Browser {
    http: reqwest::Client,
}

/// The form of a page, with what submitting it needs.
#[derive(Debug, Clone)]
pub struct Form {
    /// Target address.
    pub action: String,
    /// Names and values of the fields.
    pub fields: Vec<(String, String)>,
}

impl Browser {
    pub fn new() -> Self {
        let http = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self { http }
    }

    /// Returns status and text of a page.
    pub async fn get(&self, url: &str) -> (u16, String) {
        let answer = self.http.get(url).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    /// Builds a request without changes.
    pub fn request(&self, url: &str) -> reqwest::RequestBuilder {
        self.http.get(url)
    }

    /// Submits a form; returns the status, the redirect's target, and the text.
    pub async fn submit(&self, form: &Form) -> (u16, Option<String>, String) {
        let escape = |text: &str| -> String {
            text.bytes()
                .map(|b| if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("%{b:02X}") })
                .collect()
        };
        let body: Vec<String> = form.fields.iter().map(|(n, v)| format!("{}={}", escape(n), escape(v))).collect();
        let answer = self
            .http
            .post(&form.action)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body.join("&"))
            .send()
            .await
            .unwrap();
        let location = answer.headers().get("location").map(|to| to.to_str().unwrap().to_owned());
        (answer.status().as_u16(), location, answer.text().await.unwrap())
    }

    /// Registers the App: from our page through the forge's to the address that the forge redirects
    /// to.
    pub async fn register(&self, forge: &SimForge, page: &str) -> String {
        let (status, html) = self.get(page).await;
        assert_eq!(status, 200, "{html}");
        let (status, _, html) = self.submit(&form(&html, page)).await;
        assert_eq!(status, 200, "{html}");
        let (status, location, html) = self.submit(&form(&html, &forge.web_url())).await;
        assert_eq!(status, 302, "{html}");
        location.unwrap()
    }
}

/// Parses the form of a page at `url`.
pub fn form(html: &str, url: &str) -> Form {
    let attribute = |text: &str, name: &str| -> Option<String> {
        let rest = text.split_once(&format!("{name}=\""))?.1;
        let raw = rest.split_once('"')?.0;
        Some(
            raw.replace("&lt;", "<")
                .replace("&gt;", ">")
                .replace("&quot;", "\"")
                .replace("&#39;", "'")
                .replace("&amp;", "&"),
        )
    };
    let text = html.split_once("<form").unwrap_or_else(|| panic!("no form: {html}")).1.split_once("</form>").unwrap().0;
    let mut action = attribute(text, "action").unwrap();
    if action.starts_with('/') {
        let base: Vec<&str> = url.split('/').take(3).collect();
        action = format!("{}{action}", base.join("/"));
    }
    let fields = text
        .split("<input")
        .skip(1)
        .map(|input| (attribute(input, " name").unwrap(), attribute(input, "value").unwrap_or_default()))
        .collect();
    Form { action, fields }
}
