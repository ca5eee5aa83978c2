//! Builds paths of GitHub's API from untrusted text.
//!
//! A label named `..` must not turn "remove this label" into another request: URL libraries resolve
//! dot segments, encoded or not, and an empty last segment names the whole collection. Such names
//! are rejected.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::port::forge::ForgeError;

/// All characters except those that RFC 3986 calls unreserved.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Encodes one path segment; a slash in `text` is encoded too.
pub(super) fn segment(text: &str) -> Result<String, ForgeError> {
    if matches!(text, "" | "." | "..") {
        return Err(ForgeError::Permanent(format!("{text:?} can't be named in GitHub's API")));
    }
    Ok(utf8_percent_encode(text, RESERVED).to_string())
}

/// Encodes several segments; the slashes in `text` separate them.
pub(super) fn segments(text: &str) -> Result<String, ForgeError> {
    let parts = text.split('/').map(segment).collect::<Result<Vec<_>, _>>()?;
    Ok(parts.join("/"))
}

/// Encodes the value of a query parameter.
pub(super) fn value(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

/// Returns `/repos/{owner}/{repo}` for an `owner/name`.
pub(super) fn repository(full_name: &str) -> Result<String, ForgeError> {
    match full_name.split_once('/') {
        Some((owner, name)) if !name.contains('/') => Ok(format!("/repos/{}/{}", segment(owner)?, segment(name)?)),
        _ => Err(ForgeError::Permanent(format!("{full_name:?} is not an owner/name"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_stays_one_segment() {
        assert_eq!(segment("phase/plan").unwrap(), "phase%2Fplan");
        assert_eq!(segment("a?b#c%2e e\n").unwrap(), "a%3Fb%23c%252e%20e%0A");
        assert_eq!(segment("bot[bot]").unwrap(), "bot%5Bbot%5D");
        assert_eq!(segment("größe").unwrap(), "gr%C3%B6%C3%9Fe");
    }

    #[test]
    fn names_that_would_leave_their_place_are_refused() {
        for name in ["", ".", ".."] {
            assert!(segment(name).is_err(), "{name:?}");
        }
        assert!(segments("tags/../../x").is_err());
        assert!(segments("tags//x").is_err());
        assert_eq!(segments("tags/api/v1.2.3").unwrap(), "tags/api/v1.2.3");
    }

    #[test]
    fn a_repository_has_two_parts() {
        assert_eq!(repository("acme/shop").unwrap(), "/repos/acme/shop");
        for name in ["acme", "acme/", "/shop", "acme/..", "acme/shop/issues", ""] {
            assert!(repository(name).is_err(), "{name:?}");
        }
    }
}
