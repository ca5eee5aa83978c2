//! Where a real process listens: it chooses free ports itself, for one that was
//! free when a test looked may be another's when the process binds it.

use std::{fs, net::SocketAddr, path::Path};

/// The setting that leaves the choice of a port to the system.
pub const ANY_PORT: &str = "127.0.0.1:0";

/// The addresses of `listen` and `admin_listen`, when the process that began
/// to write to `log` at byte `from` has said them.
pub fn addresses(log: &Path, from: u64) -> Option<(SocketAddr, SocketAddr)> {
    let written = fs::read(log).unwrap_or_default();
    let said = String::from_utf8_lossy(written.get(usize::try_from(from).unwrap()..)?).into_owned();
    // A line without its end may lack a digit.
    let (said, _) = said.rsplit_once('\n')?;
    let line = said.lines().find(|line| line.contains("phasebot serves "))?;
    let field = |name: &str| line.split(' ').find_map(|word| word.strip_prefix(name)).unwrap().parse().unwrap();
    Some((field("listen="), field("admin=")))
}

/// How long `log` is by now.
pub fn length(log: &Path) -> u64 {
    fs::metadata(log).map_or(0, |it| it.len())
}
