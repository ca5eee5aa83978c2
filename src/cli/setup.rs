//! `phasebot setup`: registers the GitHub App in a browser, stores its credentials, waits until it
//! is installed, and runs `doctor`.

mod flow;
mod keep;
mod place;

use std::{io::Write, path::PathBuf, sync::Arc};

use clap::ValueEnum;
use rand::RngExt;

pub(super) use crate::cli::setup::place::is_here;
use crate::{
    app::clock::SystemClock,
    cli::{
        Context, Failure, doctor, runtime,
        serve::Signals,
        setup::{
            keep::{Files, Kept},
            place::Place,
        },
    },
    forge::github::app_permissions::{self, Feature},
    http::setup::{Form, SetupPage},
    port::clock::Clock,
};

/// Maximum length of an App's name, in characters.
const LONGEST_NAME: usize = 34;
/// Webhook address if there is no public address. GitHub keeps undelivered deliveries, and
/// `catch-up` fetches them; the host never exists (RFC 2606).
const NOWHERE: &str = "https://phasebot.invalid";

/// Register and install the GitHub App in a browser.
///
/// Shows a page on this machine whose button registers the App on GitHub with a completed form.
/// Stores the App's id, key and webhook secret in files with mode 0600, waits until you have
/// installed the App, and runs the checks of `doctor`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  phasebot setup --public-url https://phasebot.example.com\n  phasebot setup --org acme --pull --with gates,deploys\n  phasebot setup --github-url https://github.acme.example --pull"
)]
pub(super) struct Args {
    /// Organisation that will own the App; default: your own account.
    #[arg(long, value_name = "ORG")]
    org: Option<String>,
    /// Address of the GitHub instance; default: the one in the settings.
    #[arg(long, value_name = "URL")]
    github_url: Option<String>,
    /// Public address of this bot; default: `public_url` of the settings.
    #[arg(long, value_name = "URL", conflicts_with = "pull")]
    public_url: Option<String>,
    /// Work without a public address: `catch-up` fetches the deliveries.
    #[arg(long)]
    pull: bool,
    /// Public address of the web pages, on which people sign in with the App.
    #[arg(long, value_name = "URL")]
    web_url: Option<String>,
    /// Request the permissions of further features, beyond labels and comments.
    #[arg(long, value_name = "WHAT", value_delimiter = ',', value_enum)]
    with: Vec<More>,
    /// Name of the App, which must be free on GitHub; you can change it there.
    #[arg(long, value_name = "NAME", value_parser = name)]
    name: Option<String>,
    /// Directory for phasebot.env and the key.
    #[arg(long, value_name = "DIR", default_value = ".")]
    dir: PathBuf,
    /// Overwrite an existing phasebot.env.
    #[arg(long)]
    force: bool,
    /// Port of the page on this machine; 0 chooses a free one.
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    port: u16,
    /// Exit as soon as the credentials are stored.
    #[arg(long)]
    no_wait: bool,
}

/// Features of the App beyond labels and comments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum More {
    /// Check runs, protection rules, draft releases.
    Gates,
    /// Deployments and workflow runs.
    Deploys,
}

/// Runs the command.
pub(super) fn run(args: &Args, context: &Context, out: &mut dyn Write) -> Result<(), Failure> {
    let settings = context.settings()?.settings;
    let place = Place::of(args, &settings)?;
    let files = Files::prepare(&args.dir, args.force)?;
    runtime()?.block_on(async {
        let mut signals = Signals::new().map_err(|error| Failure::Message(format!("signals: {error}")))?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let page = open(args.port).await?;
        let features: Vec<Feature> = args.with.iter().map(|more| more.feature()).collect();
        let hook = format!("{}/webhooks/github", place.public.as_deref().unwrap_or(NOWHERE));
        let manifest = app_permissions::manifest(
            &app_name(args),
            &hook,
            &page.redirect_url(),
            place.pages.as_ref().map(|pages| format!("{pages}/callback")).as_deref(),
            &features,
        );
        let form = Form { action: place.new_app(args.org.as_deref()), origin: place.web.clone(), manifest };
        let (mut desk, serving) = page.serve(form);
        let serving = tokio::spawn(serving);
        writeln!(out, "Open this page in a browser on this machine:\n\n  {}\n", desk.url())?;
        writeln!(out, "(From another machine: ssh -L {0}:127.0.0.1:{0} HOST, then the same page.)", port_of(&desk.url()))?;
        writeln!(out, "Nothing is changed before you press the button there. Ctrl-C ends this.\n")?;
        out.flush()?;
        let app = tokio::select! {
            app = flow::register(&mut desk, &place, clock.as_ref(), out) => app?,
            _ = signals.next() => return Err(Failure::Message("ended: no App was registered".to_owned())),
        };
        let kept = files.keep(&app, &place)?;
        kept.tell(out)?;
        out.flush()?;
        let installed = if args.no_wait {
            desk.say(crate::http::setup::Stage::Install { url: app.install_url() });
            writeln!(out, "Install it: {}", app.install_url())?;
            Ok(())
        } else {
            tokio::select! {
                installed = flow::wait_until_installed(&desk, &app, &place, &clock, out) => installed,
                _ = signals.next() => {
                    writeln!(out, "\nNot installed yet. Install it here: {}", app.install_url())?;
                    writeln!(out, "Then: {}", kept.command("doctor"))?;
                    return Err(Failure::Message("ended before the App was installed; its credentials are kept".to_owned()));
                }
            }
        };
        installed?;
        let checked = examine(context, &kept, clock, out).await;
        if !args.no_wait {
            let seen = desk.seen_the_end();
            let _ = tokio::time::timeout(std::time::Duration::from_secs(4), seen).await;
        }
        serving.abort();
        writeln!(out, "\nStart the bot:\n\n  {}", kept.command("serve"))?;
        checked
    })
}

/// Runs the checks of `doctor` with the new credentials.
async fn examine(context: &Context, kept: &Kept, clock: Arc<dyn Clock>, out: &mut dyn Write) -> Result<(), Failure> {
    writeln!(out)?;
    let context = context.with_variables(&kept.variables);
    let report = doctor::examine(&context, clock, doctor::Occasion::BeforeTheFirstStart).await;
    report.text(out)?;
    out.flush()?;
    if report.is_well() { Ok(()) } else { Err(Failure::Message("not everything is right: see above".to_owned())) }
}

async fn open(port: u16) -> Result<SetupPage, Failure> {
    let address = std::net::SocketAddr::from((std::net::Ipv4Addr::LOCALHOST, port));
    let listener = tokio::net::TcpListener::bind(address).await.map_err(|error| {
        let other = "; choose another one with --port, or leave --port out for any that is free";
        Failure::Message(format!("--port: can't listen on {address}: {error}{other}"))
    })?;
    SetupPage::new(listener).map_err(|error| Failure::Message(format!("the page can't be served: {error}")))
}

fn port_of(url: &str) -> &str {
    url.split(['/', ':']).nth(4).unwrap_or("PORT")
}

/// Returns a name that is probably free; the user can change it on GitHub's page.
fn app_name(args: &Args) -> String {
    match (&args.name, &args.org) {
        (Some(name), _) => name.clone(),
        (None, Some(org)) => format!("phasebot-{org}").chars().take(LONGEST_NAME).collect(),
        (None, None) => format!("phasebot-{}", hex::encode(rand::rng().random::<[u8; 3]>())),
    }
}

fn name(text: &str) -> Result<String, String> {
    let length = text.trim().chars().count();
    if (1..=LONGEST_NAME).contains(&length) {
        Ok(text.trim().to_owned())
    } else {
        Err(format!("expected 1 to {LONGEST_NAME} characters"))
    }
}

impl More {
    fn feature(self) -> Feature {
        match self {
            Self::Gates => Feature::Gates,
            Self::Deploys => Feature::Deploys,
        }
    }
}
