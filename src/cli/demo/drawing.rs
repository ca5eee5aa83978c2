//! Draws the loop of eight phases with an item's position.

use crate::{cli::demo::page::Page, domain::policy::PhaseRule};

/// Draws the loop as a figure eight: its left half is development, its right half is operation.
/// Returns nothing unless there are eight phases.
///
/// ```text
/// ╭── code ◂── plan ◂─╮  ╭─▸ release ──▸ deploy ──╮
/// │                    ╲╱                         │
/// │                    ╱╲                         │
/// ╰─▸ build ─▸[TEST]──╯  ╰── monitor ◂─ operate ◂─╯
/// ```
pub(super) fn draw(page: &Page<'_>, phases: &[PhaseRule], here: Option<&str>) -> Vec<String> {
    let [plan, code, build, test, release, deploy, operate, monitor] = phases else { return Vec::new() };
    let cell = |rule: &PhaseRule| Piece::phase(page, rule, here == Some(rule.name.as_str()));
    let line = Piece::line;
    let left = [
        vec![line("──"), cell(code), line("◂─"), cell(plan), line("◂─")],
        vec![line("─▸"), cell(build), line("─▸"), cell(test), line("──")],
    ];
    let right = [
        vec![line("─▸"), cell(release), line("─▸"), cell(deploy), line("──")],
        vec![line("──"), cell(monitor), line("◂─"), cell(operate), line("◂─")],
    ];
    let [(left_top, left_bottom), (right_top, right_bottom)] = [joined(&left), joined(&right)];
    let (wide_left, wide_right) = (width(&left), width(&right));
    vec![
        format!("╭{left_top}╮  ╭{right_top}╮"),
        format!("│{:wide_left$} ╲╱ {:wide_right$}│", "", ""),
        format!("│{:wide_left$} ╱╲ {:wide_right$}│", "", ""),
        format!("╰{left_bottom}╯  ╰{right_bottom}╯"),
    ]
}

/// A part of a line: its width and its formatted text.
struct Piece {
    width: usize,
    shown: String,
}

impl Piece {
    fn line(text: &str) -> Self {
        Self { width: text.chars().count(), shown: text.to_owned() }
    }

    fn phase(page: &Page<'_>, rule: &PhaseRule, here: bool) -> Self {
        let width = rule.name.chars().count() + 2;
        let shown = if here {
            page.label(&format!("[{}]", rule.name.to_uppercase()), &rule.color)
        } else {
            format!(" {} ", rule.name)
        };
        Self { width, shown }
    }
}

fn width(rows: &[Vec<Piece>; 2]) -> usize {
    rows.iter().map(|row| row.iter().map(|piece| piece.width).sum()).max().unwrap_or(0)
}

/// Returns both rows as text of equal width: a longer line in the middle fills the shorter row.
fn joined(rows: &[Vec<Piece>; 2]) -> (String, String) {
    let most = width(rows);
    let row = |pieces: &[Piece]| {
        let lack = most - pieces.iter().map(|piece| piece.width).sum::<usize>();
        let mut text = String::new();
        for (index, piece) in pieces.iter().enumerate() {
            // An arrowhead stays at the end.
            let stretched = index == 2;
            if stretched && piece.shown.ends_with('▸') {
                text.push_str(&"─".repeat(lack));
            }
            text.push_str(&piece.shown);
            if stretched && !piece.shown.ends_with('▸') {
                text.push_str(&"─".repeat(lack));
            }
        }
        text
    };
    (row(&rows[0]), row(&rows[1]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{cli::demo::page::Style, policy};

    #[test]
    fn it_shows_where_the_item_is() {
        let mut out = Vec::new();
        let page = Page::new(&mut out, Style { unicode: true, colours: false });
        let drawn = draw(&page, &policy::built_in().phases, Some("test")).join("\n");
        insta::assert_snapshot!(drawn, @r"
        ╭── code ◂── plan ◂─╮  ╭─▸ release ──▸ deploy ──╮
        │                    ╲╱                         │
        │                    ╱╲                         │
        ╰─▸ build ─▸[TEST]──╯  ╰── monitor ◂─ operate ◂─╯
        ");
    }
}
