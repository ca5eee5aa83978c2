//! `phasebot healthcheck`: asks the `serve` of this machine whether it is ready.

use std::{
    io::{self, Read, Write},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream},
    time::Duration,
};

use crate::cli::{Context, Failure};

/// Time for connecting, and for each half of the exchange.
const PATIENCE: Duration = Duration::from_secs(2);

/// Ask whether `serve` on this machine accepts deliveries.
///
/// Requests `/readyz` at the port of the setting `listen`, and exits with 0 if the answer is 200. For
/// containers, whose image has no other program for it.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  phasebot healthcheck")]
pub(super) struct Args {}

/// Runs the command.
pub(super) fn run(_: &Args, context: &Context, out: &mut dyn Write) -> Result<(), Failure> {
    let address = local(context.settings()?.settings.listen);
    let line = ask(address).map_err(|error| {
        Failure::Message(format!("no answer from {address}: {error}. Is `phasebot serve` running?"))
    })?;
    if line.split(' ').nth(1) == Some("200") {
        writeln!(out, "ready")?;
        return Ok(());
    }
    let line = if line.is_empty() { "nothing" } else { line.trim() };
    Err(Failure::Message(format!("not ready: {address} answers {line} at /readyz. Its log has the reason")))
}

/// Returns the address by which this machine reaches its own listener.
fn local(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        ip if !ip.is_unspecified() => ip,
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    };
    SocketAddr::new(ip, listen.port())
}

/// Returns the status line of the answer.
fn ask(address: SocketAddr) -> io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(b"GET /readyz HTTP/1.0\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.take(1024).read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).lines().next().unwrap_or_default().to_owned())
}
