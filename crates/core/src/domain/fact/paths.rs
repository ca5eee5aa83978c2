//! Paths that a commit touches, packed.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

/// Limit on the bytes of one commit's packed paths.
const MOST_BYTES: usize = 64 * 1024;

/// A sorted list of paths. Each is stored as the number of bytes that it shares with the beginning
/// of the previous one, and the rest: a commit's paths are mostly in few folders.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Paths(String);

impl Paths {
    /// Packs paths; `None` if they are too long together, or one contains a line break: then it
    /// counts as unknown what the commit touches.
    pub fn pack(paths: &[String]) -> Option<Self> {
        if paths.iter().any(|path| path.contains(['\n', '\r'])) {
            return None;
        }
        let mut sorted: Vec<&str> = paths.iter().map(String::as_str).collect();
        sorted.sort_unstable();
        sorted.dedup();
        let mut packed = String::new();
        let mut before = "";
        for path in sorted {
            let mut shared = path.bytes().zip(before.bytes()).take_while(|(a, b)| a == b).count();
            while !path.is_char_boundary(shared) {
                shared -= 1;
            }
            let _ = writeln!(packed, "{shared} {}", &path[shared..]);
            if packed.len() > MOST_BYTES {
                return None;
            }
            before = path;
        }
        Some(Self(packed))
    }

    /// Returns the paths, sorted.
    pub fn unpack(&self) -> Vec<String> {
        let mut paths: Vec<String> = Vec::new();
        for line in self.0.lines() {
            let Some((shared, rest)) = line.split_once(' ') else { continue };
            let before = paths.last().map_or("", String::as_str);
            let shared = shared.parse().ok().and_then(|shared| before.get(..shared)).unwrap_or_default();
            paths.push(format!("{shared}{rest}"));
        }
        paths
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_paths_come_back_sorted() {
        let paths = ["apps/web/ä.rs", "apps/web/å b.rs", "Cargo.lock", "apps/api/main.rs", "Cargo.lock"];
        let packed = Paths::pack(&paths.map(str::to_owned)).unwrap();
        assert_eq!(packed.unpack(), ["Cargo.lock", "apps/api/main.rs", "apps/web/ä.rs", "apps/web/å b.rs"]);
        assert!(packed.0.len() < paths.concat().len());
    }

    #[test]
    fn a_path_that_ends_a_line_makes_the_list_unknown() {
        for path in ["web/a\nb", "web/b\r"] {
            assert_eq!(Paths::pack(&["web/c".to_owned(), path.to_owned()]), None, "{path:?}");
        }
    }

    #[test]
    fn too_long_a_list_is_not_kept() {
        let paths: Vec<String> = (0..20_000).map(|n| format!("{n:0>9}")).collect();
        assert_eq!(Paths::pack(&paths), None);
    }
}
