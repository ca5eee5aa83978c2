//! Credentials that `serve` requires: the App's id and key, and webhook secrets.

use std::{io, path::Path};

use secrecy::{ExposeSecret, SecretString};

use crate::settings::{
    Settings, SettingsError,
    environment::variable,
    problem::{Place, Problem},
};

/// Validated credentials with which a forge is served.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// The App's id.
    pub app_id: u64,
    /// The App's private key, in PEM.
    pub private_key: SecretString,
    /// Webhook secrets, one or two.
    pub webhook_secrets: Vec<SecretString>,
    /// Warnings for the log; none stops the program.
    pub warnings: Vec<String>,
}

impl Settings {
    /// Returns the credentials, or every setting that is missing for them. Reads the key's file.
    pub fn credentials(&self) -> Result<Credentials, SettingsError> {
        let mut problems = Vec::new();
        let mut warnings = Vec::new();
        if self.github.app_id == 0 {
            problems.push(missing("github.app_id", "the App's number is on its settings page"));
        }
        if self.github.webhook_secrets.is_empty() {
            problems.push(missing("github.webhook_secrets", "use the secret that the App's webhook signs with"));
        }
        for (name, connection) in &self.alerts {
            if connection.secrets.is_empty() {
                problems.push(missing(&format!("alerts.{name}.secrets"), "use the token or key that the sender has"));
            }
        }
        for (name, connection) in &self.events {
            if connection.secrets.is_empty() {
                problems.push(missing(&format!("events.{name}.secrets"), "use the token or key that the sender has"));
            }
        }
        for (name, connection) in &self.verdicts {
            if connection.secrets.is_empty() {
                problems
                    .push(missing(&format!("verdicts.{name}.secrets"), "use the token or secret that the sender has"));
            }
        }
        for (name, target) in &self.notices {
            let lacks = target.missing_secrets().into_iter();
            problems.extend(lacks.map(|(key, help)| missing(&format!("notices.{name}.{key}"), help)));
        }
        if !self.admin_listen.ip().is_loopback() && self.admin_token.is_none() {
            problems.push(missing(
                "admin_token",
                "admin_listen can be reached from elsewhere; make one with: openssl rand -hex 32",
            ));
        }
        problems.extend(self.pages_problem());
        let private_key = match self.private_key(&mut warnings) {
            Ok(key) => key,
            Err(problem) => {
                problems.push(problem);
                SecretString::default()
            }
        };
        // Who has not one of the App's three settings has no App yet.
        let app = ["github.app_id", "github.webhook_secrets", "github.private_key_file"];
        let is_missing = |setting: &&str| {
            problems.iter().any(|problem| matches!(&problem.place, Place::Setting(name) if name == *setting))
        };
        if app.iter().all(is_missing)
            && let Some(last) = problems.iter_mut().rev().find(|problem| problem.help.is_some())
        {
            let help = last.help.take().unwrap_or_default();
            last.help = Some(format!(
                "{help}\n\nNew here? `phasebot setup` registers a GitHub App and writes all three settings."
            ));
        }
        if !problems.is_empty() {
            return Err(SettingsError(problems));
        }
        Ok(Credentials {
            app_id: self.github.app_id,
            private_key,
            webhook_secrets: self.github.webhook_secrets.clone(),
            warnings,
        })
    }

    /// Returns the reason for which the web pages may not be served as they are set, with the remedy.
    fn pages_problem(&self) -> Option<Problem> {
        let address = self.web_listen?;
        let problem = |setting: &str, message: &str, help: String| {
            Some(Problem::new(Place::Setting(setting.to_owned()), message.to_owned()).with_help(help))
        };
        if !self.web_open {
            return self.sign_in_problem();
        }
        if !address.ip().is_loopback() {
            return problem(
                "web_listen",
                "can be reached from elsewhere, and web_open asks nobody to sign in",
                format!("listen on 127.0.0.1:{} or [::1]:{}", address.port(), address.port()),
            );
        }
        None
    }

    /// Returns the setting that is missing for people to sign in.
    fn sign_in_problem(&self) -> Option<Problem> {
        const SHORTEST: usize = 32;
        let open = "or set web_open = true with web_listen on 127.0.0.1 to show the pages to everyone on this machine";
        if self.github.client_id.is_empty() {
            return Some(missing("github.client_id", &format!("it is on the App's settings page, {open}")));
        }
        if self.github.client_secret.is_none() {
            return Some(missing("github.client_secret", &format!("generate one on the App's settings page, {open}")));
        }
        let help = "use one or two of at least 32 characters; make one with: openssl rand -hex 32";
        if self.web_secrets.is_empty() {
            return Some(missing("web_secrets", help));
        }
        if self.web_secrets.iter().any(|it| it.expose_secret().len() < SHORTEST) {
            let place = Place::Setting("web_secrets".to_owned());
            return Some(Problem::new(place, "is too short".to_owned()).with_help(help.to_owned()));
        }
        let uri: Option<http::Uri> = self.web_url.parse().ok();
        let is_here = uri.as_ref().and_then(http::Uri::host).is_some_and(|host| {
            let host = host.trim_start_matches('[').trim_end_matches(']');
            host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
        });
        if !self.web_url.starts_with("https://") && !is_here {
            let message = "is not https, so that browsers would refuse the cookie of whoever signs in".to_owned();
            let help = "put a TLS proxy in front of web_listen, and set web_url to its https address".to_owned();
            return Some(Problem::new(Place::Setting("web_url".to_owned()), message).with_help(help));
        }
        None
    }

    fn private_key(&self, warnings: &mut Vec<String>) -> Result<SecretString, Problem> {
        if let Some(key) = &self.github.private_key {
            // Many systems that store variables cannot hold a line break.
            let text = key.expose_secret().replace("\\n", "\n");
            return pem(text, Place::Variable(variable("github.private_key")));
        }
        let Some(file) = &self.github.private_key_file else {
            let help = "name the PEM file that GitHub gave you, or set PHASEBOT_GITHUB__PRIVATE_KEY to what is in it";
            return Err(Problem::new(Place::Setting("github.private_key_file".to_owned()), "is not set".to_owned())
                .with_help(help.to_owned()));
        };
        let text = std::fs::read_to_string(file)
            .map_err(|error| Problem::new(Place::Path(file.clone()), format!("the key can't be read: {error}")))?;
        if let Ok(Some(mode)) = open_to_others(file) {
            let file = file.display();
            warnings.push(format!("other users may read the private key {file} (mode {mode:04o}): chmod 600 {file}"));
        }
        pem(text, Place::Path(file.clone()))
    }
}

fn pem(text: String, place: Place) -> Result<SecretString, Problem> {
    if text.contains("-----BEGIN ") && text.contains("PRIVATE KEY-----") {
        Ok(SecretString::from(text))
    } else {
        Err(Problem::new(place, "is not a private key in PEM form".to_owned())
            .with_help("it begins with -----BEGIN RSA PRIVATE KEY-----".to_owned()))
    }
}

fn missing(setting: &str, help: &str) -> Problem {
    let help = format!("set {} or {}; {help}", setting, variable(setting));
    Problem::new(Place::Setting(setting.to_owned()), "is not set".to_owned()).with_help(help)
}

/// Returns the file's mode, if anyone but its owner may use it.
#[cfg(unix)]
fn open_to_others(file: &Path) -> io::Result<Option<u32>> {
    use std::os::unix::fs::PermissionsExt;

    let mode = std::fs::metadata(file)?.permissions().mode() & 0o7777;
    Ok((mode & 0o077 != 0).then_some(mode))
}

#[cfg(not(unix))]
fn open_to_others(_: &Path) -> io::Result<Option<u32>> {
    Ok(None)
}
