//! The peers that phasebot is measured beside: they keep nothing.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::{
    Result,
    body::SECRET,
    server::{KEY, Server, free_port},
};

/// The Probot app's source.
const APP: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/bench/probot");

/// A program that is on this machine.
fn found(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(name).is_file())
}

/// Probot with its packages, installed below `folder` by npm; `None` where there is no npm.
pub fn probot(folder: &Path) -> Result<Option<PathBuf>> {
    if !found("npm") {
        return Ok(None);
    }
    let place = folder.join("probot");
    fs::create_dir_all(&place)?;
    for file in ["package.json", "app.js"] {
        fs::copy(Path::new(APP).join(file), place.join(file))?;
    }
    let quiet = ["install", "--no-audit", "--no-fund", "--no-package-lock", "--loglevel=error"];
    let installed = Command::new("npm").args(quiet).current_dir(&place).status()?;
    if installed.success() { Ok(Some(place)) } else { Err("npm could not install Probot".into()) }
}

/// Probot with a handler that does nothing, or puts a `label` on.
pub async fn start_probot(place: &Path, api: SocketAddr, label: &str) -> Result<Server> {
    let address = free_port()?;
    let mut command = Command::new("node");
    command
        .arg("app.js")
        .current_dir(place)
        .env("NODE_ENV", "production")
        .env("API", format!("http://{api}"))
        .env("KEY_FILE", KEY)
        .env("LABEL", label)
        .env("PORT", address.port().to_string())
        .env("SECRET", SECRET)
        .stderr(Stdio::null());
    Server::start(command, address, address, "/readyz").await
}

/// adnanh/webhook, which verifies the signature and runs `/bin/true`; `None` where it is not installed.
pub async fn start_webhook(folder: &Path) -> Result<Option<Server>> {
    if !found("webhook") {
        return Ok(None);
    }
    let rule = serde_json::json!([{
        "id": "github",
        "execute-command": "/bin/true",
        "trigger-rule": { "match": {
            "type": "payload-hmac-sha256", "secret": SECRET,
            "parameter": { "source": "header", "name": "X-Hub-Signature-256" },
        } },
    }]);
    let hooks = folder.join("hooks.json");
    fs::write(&hooks, rule.to_string())?;
    let address = free_port()?;
    let mut command = Command::new("webhook");
    command.arg("-hooks").arg(&hooks).args(["-ip", "127.0.0.1", "-urlprefix", "webhooks"]);
    command.args(["-port", &address.port().to_string()]).stderr(Stdio::null());
    Ok(Some(Server::start(command, address, address, "/").await?))
}
