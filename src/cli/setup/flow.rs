//! Turns the browser's code into an installed App.

use std::{io::Write, sync::Arc};

use jiff::SignedDuration;
use secrecy::{ExposeSecret, SecretString};

use crate::{
    app::clock::after,
    cli::{Failure, setup::place::Place, text},
    forge::github::{
        inspect::Inspector,
        register::{self, NewApp},
    },
    http::setup::{SetupDesk, Stage},
    port::{clock::Clock, forge::ForgeError},
};

/// Interval between checks of whether the App is installed, and between attempts to exchange a
/// code.
const PAUSE: SignedDuration = SignedDuration::from_secs(2);
/// Maximum number of attempts to exchange a code while the forge is unreachable.
const TRIES: u32 = 5;

/// An App with its credentials.
pub(super) struct Registered {
    pub(super) id: u64,
    pub(super) slug: String,
    pub(super) html_url: String,
    pub(super) private_key: SecretString,
    pub(super) webhook_secret: Option<SecretString>,
    pub(super) client_id: String,
    pub(super) client_secret: Option<SecretString>,
}

impl Registered {
    /// Returns the address of the page for installing the App.
    pub(super) fn install_url(&self) -> String {
        format!("{}/installations/new", self.html_url)
    }
}

/// Waits for the browser's code and exchanges it. Shows an error on the page and in the terminal;
/// the user can then start again in the browser.
pub(super) async fn register(
    desk: &mut SetupDesk,
    place: &Place,
    clock: &dyn Clock,
    out: &mut dyn Write,
) -> Result<Registered, Failure> {
    loop {
        let Some(code) = desk.codes.recv().await else {
            return Err(Failure::Message("the page is not served any more".to_owned()));
        };
        match exchange(place, &code, clock).await {
            Ok(app) => {
                let registered = Registered {
                    id: app.id,
                    slug: app.slug,
                    // The address is shown, and people open it.
                    html_url: text::line(&app.html_url),
                    private_key: app.pem,
                    webhook_secret: app.webhook_secret,
                    client_id: app.client_id,
                    client_secret: app.client_secret,
                };
                writeln!(out, "Registered: {} (App {})", registered.html_url, registered.id)?;
                return Ok(registered);
            }
            Err(why) => {
                desk.say(Stage::Register(Some(why.clone())));
                writeln!(out, "{why}")?;
                out.flush()?;
            }
        }
    }
}

async fn exchange(place: &Place, code: &SecretString, clock: &dyn Clock) -> Result<NewApp, String> {
    let mut tries = 0;
    loop {
        tries += 1;
        match register::convert(&place.api, code.expose_secret(), clock.now()).await {
            Ok(app) => return Ok(app),
            // The request was certainly not executed, so the code is still valid.
            Err(ForgeError::Transient(_)) if tries < TRIES => clock.sleep_until(after(clock.now(), PAUSE)).await,
            Err(ForgeError::NotFound(_)) => {
                return Err(format!(
                    "GitHub does not know the code: it works once, for an hour, and only at {}. Begin again.",
                    place.api
                ));
            }
            Err(error) => {
                return Err(format!(
                    "The App's credentials could not be fetched: {error}. If the App is at {} under Developer settings, delete it, then begin again.",
                    place.web
                ));
            }
        }
    }
}

/// Waits until somebody has installed the App.
pub(super) async fn wait_until_installed(
    desk: &SetupDesk,
    app: &Registered,
    place: &Place,
    clock: &Arc<dyn Clock>,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let inspector = Inspector::new(&place.api, app.id, &app.private_key, clock.clone())
        .map_err(|error| Failure::Message(error.to_string()))?;
    desk.say(Stage::Install { url: app.install_url() });
    writeln!(out, "Now install it on your repositories: {}", app.install_url())?;
    writeln!(out, "Waiting until it is installed …")?;
    out.flush()?;
    let mut told = String::new();
    loop {
        match inspector.installations().await {
            Ok(all) if !all.is_empty() => {
                let owners: Vec<String> = all.iter().map(|one| text::line(one.owner())).collect();
                desk.say(Stage::Installed(owners.clone()));
                writeln!(out, "Installed for {}", owners.join(", "))?;
                return Ok(());
            }
            Ok(_) => {}
            Err(error) => {
                // GitHub may need a moment until a new App's key works everywhere.
                let why = error.to_string();
                if why != told {
                    writeln!(out, "Asking again: {why}")?;
                    out.flush()?;
                    told = why;
                }
            }
        }
        clock.sleep_until(after(clock.now(), PAUSE)).await;
    }
}
