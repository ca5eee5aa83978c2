//! Hidden first line that identifies issues and comments of phasebot.

use crate::port::forge::ForgeError;

/// Returns the marker line. phasebot's own markers are plain words; a marker that would end the
/// HTML comment early is rejected.
pub(super) fn line(marker: &str) -> Result<String, ForgeError> {
    if marker.contains("--") || marker.contains(|c: char| c.is_control()) {
        return Err(ForgeError::Permanent(format!("{marker:?} can't be a marker")));
    }
    Ok(format!("<!-- phasebot:{marker} -->"))
}

/// Returns the text with the marker line above it.
pub(super) fn mark(marker: &str, text: &str) -> Result<String, ForgeError> {
    Ok(format!("{}\n{text}", line(marker)?))
}

/// Returns whether the first line of `body` is the marker line.
pub(super) fn carries(body: &str, line: &str) -> bool {
    body.lines().next().is_some_and(|first| first.trim_end() == line)
}

/// Returns whether GitHub's text equals ours, ignoring differences in line endings and trailing
/// whitespace.
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
