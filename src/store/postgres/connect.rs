//! Builds a pool of connections from a URL.

use std::{net::IpAddr, str::FromStr, sync::Arc, time::Duration};

use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod, Runtime};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};
use rustls_platform_verifier::BuilderVerifierExt;
use tokio_postgres::{
    Config, NoTls,
    config::{Host, SslMode},
};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::store::OpenError;

/// Connections of one process. The server shares its processors among all of
/// them: more connections would wait there rather than here.
const CONNECTIONS: usize = 10;

/// Time-out for opening a connection, and for getting one from our own pool.
const PATIENCE: Duration = Duration::from_secs(5);

/// Address of a database, with connection options.
#[derive(Debug)]
pub(super) struct Address {
    config: Config,
    /// File with the certificates to trust instead of the system's.
    root_cert: Option<String>,
}

impl Address {
    /// Parses a URL. Errors never quote it: it may hold a password.
    pub(super) fn parse(url: &str) -> Result<Self, OpenError> {
        let (rest, options) = split_options(url);
        let mut kept = Vec::new();
        let (mut mode, mut root_cert) = (None, None);
        for option in options.split('&').filter(|option| !option.is_empty()) {
            match option.split_once('=') {
                Some(("sslmode", value)) => mode = Some(ssl_mode(value)?),
                Some(("sslrootcert", "system")) => {}
                Some(("sslrootcert", file)) => {
                    root_cert = Some(percent_encoding::percent_decode_str(file).decode_utf8_lossy().into_owned());
                }
                _ => kept.push(option),
            }
        }
        let url = if kept.is_empty() { rest.to_owned() } else { format!("{rest}?{}", kept.join("&")) };
        let mut config = Config::from_str(&url).map_err(|_| OpenError::BadPostgresUrl)?;
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err(OpenError::BadPostgresUrl);
        }
        let usual = if is_here(&config) { SslMode::Disable } else { SslMode::Prefer };
        config.ssl_mode(mode.unwrap_or(usual));
        if config.get_application_name().is_none() {
            config.application_name("phasebot");
        }
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(PATIENCE);
        }
        Ok(Self { config, root_cert })
    }

    /// Returns the server and database, for messages.
    pub(super) fn shown(&self) -> String {
        let hosts: Vec<String> = self.config.get_hosts().iter().map(shown_host).collect();
        let name = self.config.get_dbname().or(self.config.get_user()).unwrap_or_default();
        format!("{name} on {}", hosts.join(", "))
    }

    /// Returns a pool that connects on demand.
    pub(super) fn pool(&self) -> Result<Pool, OpenError> {
        self.pool_of(CONNECTIONS)
    }

    /// Returns a pool of at most this many connections.
    pub(super) fn pool_of(&self, connections: usize) -> Result<Pool, OpenError> {
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = if self.config.get_ssl_mode() == SslMode::Disable {
            Manager::from_config(self.config.clone(), NoTls, recycling)
        } else {
            Manager::from_config(self.config.clone(), MakeRustlsConnect::new(self.tls()?), recycling)
        };
        Pool::builder(manager)
            .max_size(connections)
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(PATIENCE))
            .create_timeout(Some(PATIENCE))
            .build()
            .map_err(|error| OpenError::Engine { path: self.shown(), message: error.to_string() })
    }

    /// Returns a TLS configuration that checks the server's certificate and name, whatever
    /// `sslmode` is.
    fn tls(&self) -> Result<ClientConfig, OpenError> {
        let failed = |message: String| OpenError::Engine { path: self.shown(), message };
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| failed(error.to_string()))?;
        let Some(file) = &self.root_cert else {
            let builder = builder.with_platform_verifier().map_err(|error| failed(error.to_string()))?;
            return Ok(builder.with_no_client_auth());
        };
        let unreadable = |why: String| failed(format!("sslrootcert {file}: {why}"));
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(file).map_err(|error| unreadable(error.to_string()))? {
            let certificate = certificate.map_err(|error| unreadable(error.to_string()))?;
            roots.add(certificate).map_err(|error| unreadable(error.to_string()))?;
        }
        if roots.is_empty() {
            return Err(unreadable("it holds no certificate".to_owned()));
        }
        Ok(builder.with_root_certificates(roots).with_no_client_auth())
    }
}

/// Splits a URL into the part before its options and the options.
fn split_options(url: &str) -> (&str, &str) {
    // The password comes before the last @ and may contain a question mark.
    let host = url.rfind('@').map_or(0, |at| at + 1);
    match url[host..].find('?') {
        Some(mark) => (&url[..host + mark], &url[host + mark + 1..]),
        None => (url, ""),
    }
}

fn ssl_mode(value: &str) -> Result<SslMode, OpenError> {
    match value {
        "disable" => Ok(SslMode::Disable),
        "allow" | "prefer" => Ok(SslMode::Prefer),
        "require" | "verify-ca" | "verify-full" => Ok(SslMode::Require),
        _ => Err(OpenError::BadSslMode),
    }
}

/// Returns whether all hosts are on this machine, so that nobody else can listen in.
fn is_here(config: &Config) -> bool {
    config.get_hosts().iter().all(|host| match host {
        Host::Tcp(name) => name == "localhost" || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback()),
        #[cfg(unix)]
        Host::Unix(_) => true,
    })
}

fn shown_host(host: &Host) -> String {
    match host {
        Host::Tcp(name) => name.clone(),
        #[cfg(unix)]
        Host::Unix(path) => path.display().to_string(),
    }
}

/// Returns why a connection could not be made, with the remedy if there is one.
pub(super) fn reason(error: &tokio_postgres::Error) -> String {
    let text = with_causes(error);
    if text.contains("certificate") {
        format!(
            "{text}; name the file with the server's authority (sslrootcert=FILE), \
             or in a network that you trust go without (sslmode=disable)"
        )
    } else {
        text
    }
}

/// Returns an error with its causes, which the driver omits from its message.
pub(super) fn with_causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| {
        let cause = cause.to_string();
        if text.contains(&cause) { text } else { format!("{text}: {cause}") }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(url: &str) -> SslMode {
        Address::parse(url).unwrap().config.get_ssl_mode()
    }

    #[test]
    fn tls_is_off_only_within_this_machine_or_on_demand() {
        assert_eq!(mode("postgres://u:p@localhost/db"), SslMode::Disable);
        assert_eq!(mode("postgres://u:p@127.0.0.1:6432/db"), SslMode::Disable);
        assert_eq!(mode("postgres:///db?host=/run/postgresql"), SslMode::Disable);
        assert_eq!(mode("postgres://u:p@db.example/db"), SslMode::Prefer);
        assert_eq!(mode("postgresql://u:p@db.example/db?sslmode=verify-full"), SslMode::Require);
        assert_eq!(mode("postgres://u:p@db.example/db?connect_timeout=3&sslmode=disable"), SslMode::Disable);
    }

    #[test]
    fn what_is_not_understood_is_refused_without_being_repeated() {
        for url in [
            "postgres://u:hunter2@db/x?sslmode=hunter2",
            "postgres://u:hunter2@db/x?hunter2=1",
            "postgres://u:hunter2@:bad/x",
            "postgres://",
        ] {
            let refused = Address::parse(url).unwrap_err();
            assert!(!format!("{refused} {refused:?}").contains("hunter2"), "{refused}");
        }
    }

    #[test]
    fn a_message_names_server_and_database_only() {
        let address = Address::parse("postgres://u:hunter2@db.example:5433/phasebot?sslrootcert=/etc/ca.pem").unwrap();
        assert_eq!(address.shown(), "phasebot on db.example");
        assert_eq!(address.root_cert.as_deref(), Some("/etc/ca.pem"));
    }
}
