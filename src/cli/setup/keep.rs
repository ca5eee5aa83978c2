//! Stores the App's credentials in an environment file and a key file. Only their owner can read
//! them, and each is either complete or absent.

use std::{
    fmt::Write as _,
    io::{self, Write},
    path::{Path, PathBuf},
};

use rand::RngExt as _;
use secrecy::{ExposeSecret, SecretString};
use tempfile::{NamedTempFile, PersistError};

use crate::cli::{
    Failure,
    setup::{flow::Registered, place::Place},
    text,
};

/// Name of the environment file.
const ENV_FILE: &str = "phasebot.env";

/// Temporary files for the credentials. They are created before anything is registered, so that a
/// full or read-only disk is noticed while nothing can be lost.
pub(super) struct Files {
    folder: PathBuf,
    force: bool,
    env: NamedTempFile,
    key: NamedTempFile,
}

/// Stored credentials.
pub(super) struct Kept {
    env_file: PathBuf,
    key_file: PathBuf,
    without_secret: bool,
    /// Variables in the environment file.
    pub(super) variables: Vec<(String, String)>,
}

impl Files {
    /// Creates the temporary files. Fails if that is impossible, or if the environment file exists
    /// and may not be overwritten.
    pub(super) fn prepare(folder: &Path, force: bool) -> Result<Self, Failure> {
        let wrong = |error: io::Error| Failure::Message(format!("--dir: {}: {error}", folder.display()));
        let folder = folder.canonicalize().map_err(wrong)?;
        if folder.to_str().is_none_or(|path| path.contains(['\'', '\n', '\r'])) {
            let help = "its path can't be written into an environment file; choose another one";
            return Err(Failure::Message(format!("--dir: {}: {help}", folder.display())));
        }
        let env_file = folder.join(ENV_FILE);
        if !force && env_file.symlink_metadata().is_ok() {
            let file = env_file.display();
            return Err(Failure::Message(format!(
                "{file} is there already: it may hold the only copy of an App's webhook secret\n\
                 overwrite it with --force, or choose another --dir"
            )));
        }
        // The crate creates them with mode 0600.
        let env = NamedTempFile::with_prefix_in(".phasebot-", &folder).map_err(wrong)?;
        let key = NamedTempFile::with_prefix_in(".phasebot-", &folder).map_err(wrong)?;
        Ok(Self { folder, force, env, key })
    }

    /// Writes both files: first the key, under a name of its own, then the environment file that
    /// names it. If the environment file exists, everything exists.
    pub(super) fn keep(self, app: &Registered, place: &Place) -> Result<Kept, Failure> {
        let key_file = self.folder.join(format!("phasebot-{}.pem", app.id));
        let env_file = self.folder.join(ENV_FILE);
        let variables = variables(app, place, &key_file);
        let wrong = |file: &Path, error: io::Error| {
            Failure::Message(format!(
                "{}: {error}\nThe App is registered, but its credentials could not be kept: delete it at {} and begin again",
                file.display(),
                app.html_url
            ))
        };
        let mut text = format!(
            "# Written by phasebot setup for the GitHub App {}: {}\n",
            text::line(&app.slug),
            text::line(&app.html_url)
        );
        for (name, value) in &variables {
            let _ = writeln!(text, "{name}={}", quoted(value));
        }
        store(self.key, &key_file, app.private_key.expose_secret(), self.force)
            .map_err(|error| wrong(&key_file, error))?;
        if let Err(error) = store(self.env, &env_file, &text, self.force) {
            // Without the environment file, nobody would know what the key is for.
            let _ = std::fs::remove_file(&key_file);
            return Err(wrong(&env_file, error));
        }
        sync_folder(&self.folder);
        Ok(Kept { env_file, key_file, without_secret: secret(app).is_none(), variables })
    }
}

impl Kept {
    /// Reports the written files.
    pub(super) fn tell(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "Kept: {} and {}, mode 0600", self.env_file.display(), self.key_file.display())?;
        if self.without_secret {
            writeln!(
                out,
                "GitHub told no webhook secret that can be used. Set one on the App's page, and put it into {} as PHASEBOT_GITHUB__WEBHOOK_SECRETS=…",
                self.env_file.display()
            )?;
        }
        Ok(())
    }

    /// Returns a shell command that runs phasebot with the stored credentials.
    pub(super) fn command(&self, what: &str) -> String {
        let file = self.env_file.display().to_string();
        format!("(set -a; . {}; exec phasebot {what})", quoted(&file))
    }
}

/// Returns the settings for the environment file.
fn variables(app: &Registered, place: &Place, key_file: &Path) -> Vec<(String, String)> {
    let mut all = vec![
        ("PHASEBOT_GITHUB__APP_ID", app.id.to_string()),
        ("PHASEBOT_GITHUB__PRIVATE_KEY_FILE", key_file.display().to_string()),
    ];
    all.extend(secret(app).map(|secret| ("PHASEBOT_GITHUB__WEBHOOK_SECRETS", secret.expose_secret().to_owned())));
    if let (Some(pages), Some(secret)) = (&place.pages, usable(app.client_secret.as_ref())) {
        all.push(("PHASEBOT_GITHUB__CLIENT_ID", app.client_id.clone()));
        all.push(("PHASEBOT_GITHUB__CLIENT_SECRET", secret.expose_secret().to_owned()));
        all.push(("PHASEBOT_WEB_URL", pages.clone()));
        all.push(("PHASEBOT_WEB_SECRETS", hex::encode(rand::rng().random::<[u8; 32]>())));
    }
    all.push(("PHASEBOT_GITHUB__API_URL", place.api.clone()));
    all.push(("PHASEBOT_GITHUB__WEB_URL", place.web.clone()));
    all.extend(place.public.clone().map(|url| ("PHASEBOT_PUBLIC_URL", url)));
    all.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Returns the webhook secret if it can be the value of a variable: in a list, commas separate the
/// values.
fn secret(app: &Registered) -> Option<&SecretString> {
    usable(app.webhook_secret.as_ref())
}

fn usable(secret: Option<&SecretString>) -> Option<&SecretString> {
    let fits = |c: char| c.is_ascii_graphic() && !matches!(c, ',' | '\'');
    secret.filter(|secret| {
        let secret = secret.expose_secret();
        !secret.is_empty() && secret.chars().all(fits)
    })
}

/// Quotes a value so that shells and systemd read it alike.
fn quoted(value: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._/:%+@=".contains(c);
    if !value.is_empty() && value.chars().all(plain) { value.to_owned() } else { format!("'{value}'") }
}

fn store(mut file: NamedTempFile, to: &Path, text: &str, force: bool) -> io::Result<()> {
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    let cause = |error: PersistError| error.error;
    if force {
        file.persist(to).map_err(cause)?
    } else {
        file.persist_noclobber(to).map_err(cause)?
    };
    Ok(())
}

/// Flushes the directory to disk, if the system can, so that the file names survive a power
/// failure.
fn sync_folder(folder: &Path) {
    if let Ok(folder) = std::fs::File::open(folder) {
        let _ = folder.sync_all();
    }
}
