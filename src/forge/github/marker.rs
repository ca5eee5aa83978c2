//! The hidden first line by which we find again what we made.

use crate::port::forge::ForgeError;

/// The line. Our own markers are plain words; one that would end the HTML
/// comment early is refused.
pub(super) fn line(marker: &str) -> Result<String, ForgeError> {
    if marker.contains("--") || marker.contains(|c: char| c.is_control()) {
        return Err(ForgeError::Permanent(format!("{marker:?} can't be a marker")));
    }
    Ok(format!("<!-- phasebot:{marker} -->"))
}

/// Marker and text.
pub(super) fn mark(marker: &str, text: &str) -> Result<String, ForgeError> {
    Ok(format!("{}\n{text}", line(marker)?))
}

/// Whether `body` begins with the marker's line.
pub(super) fn carries(body: &str, line: &str) -> bool {
    body.lines().next().is_some_and(|first| first.trim_end() == line)
}

/// Whether GitHub shows what we would write: it may end lines and texts otherwise.
pub(super) fn same(shown: &str, wanted: &str) -> bool {
    shown.trim_end().lines().eq(wanted.trim_end().lines())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_line_counts() {
        let body = mark("status", "text\nmore").unwrap();
        assert_eq!(body, "<!-- phasebot:status -->\ntext\nmore");
        let line = line("status").unwrap();
        assert!(carries(&body, &line));
        assert!(carries("<!-- phasebot:status -->\r\ntext", &line));
        assert!(!carries(&format!("> quoted\n{line}"), &line));
        assert!(!carries(&format!("{line} and more"), &line));
        assert!(!carries("<!-- phasebot:status2 -->", &line));
        assert!(same("a\r\nb\n", "a\nb"));
        assert!(!same("a\nc", "a\nb"));
    }

    #[test]
    fn a_marker_cannot_end_its_comment() {
        for marker in ["a --> b", "a\nb", "x--y"] {
            assert!(line(marker).is_err());
        }
    }
}
