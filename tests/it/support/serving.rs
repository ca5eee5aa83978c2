//! Addresses of a real process. The process chooses free ports itself, because a port that was free
//! when a test checked may be taken when the process binds it.

use std::{fs, net::SocketAddr, path::Path};

/// Setting that leaves the choice of the port to the system.
pub const ANY_PORT: &str = "127.0.0.1:0";

/// Returns the addresses of `listen` and `admin_listen` after the process, which began to write to
/// `log` at byte `from`, has logged them.
pub fn addresses(log: &Path, from: u64) -> Option<(SocketAddr, SocketAddr)> {
    let written = fs::read(log).unwrap_or_default();
    let said = String::from_utf8_lossy(written.get(usize::try_from(from).unwrap()..)?).into_owned();
    // An incomplete line may lack a digit.
    let (said, _) = said.rsplit_once('\n')?;
    let line = said.lines().find(|line| line.contains("phasebot serves "))?;
    let field = |name: &str| line.split(' ').find_map(|word| word.strip_prefix(name)).unwrap().parse().unwrap();
    Some((field("listen="), field("admin=")))
}

/// Returns the present length of `log` in bytes.
pub fn length(log: &Path) -> u64 {
    fs::metadata(log).map_or(0, |it| it.len())
}
