//! Pictures of charts as SVG: axes with units, and marks that differ without colour.

use std::fmt::Write as _;

use maud::{Markup, html};

/// Size of a picture, and of the room around its plot.
const WIDTH: f64 = 620.0;
const HEIGHT: f64 = 250.0;
const LEFT: f64 = 56.0;
const TOP: f64 = 22.0;
const BOTTOM: f64 = 36.0;
/// Room on the right, with and without labels there.
const LABELLED: f64 = 84.0;
const BARE: f64 = 10.0;
/// Distance of two labels that do not touch.
const LABEL: f64 = 15.0;
/// Room above the first bar, and for the text behind a bar.
const BAR_TOP: f64 = 4.0;
const BAR_TEXT: f64 = 110.0;
/// Steps of an axis, at most.
const MOST_TICKS: f64 = 5.0;
/// Labels of the lower axis, at most.
const MOST_LABELS: usize = 8;

/// A value of a column chart.
pub(super) struct Column {
    /// Its place on the lower axis.
    pub(super) label: String,
    /// The value; `None`: there is none, which is not zero.
    pub(super) value: Option<f64>,
    /// Address of what is behind it.
    pub(super) to: Option<String>,
}

/// Unit of an axis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Unit {
    /// Name, as the axis shows it.
    pub(super) name: &'static str,
    /// Length of one, in the values' own.
    pub(super) one: f64,
}

impl Unit {
    /// Things that are counted.
    pub(super) const COUNT: Self = Self { name: "", one: 1.0 };
    /// Percent.
    pub(super) const PERCENT: Self = Self { name: "%", one: 1.0 };

    /// Returns the unit in which a number of seconds is legible.
    pub(super) fn of_seconds(most: f64) -> Self {
        match most {
            most if most >= 3.0 * 86_400.0 => Self { name: "days", one: 86_400.0 },
            most if most >= 2.0 * 3_600.0 => Self { name: "hours", one: 3_600.0 },
            _ => Self { name: "minutes", one: 60.0 },
        }
    }
}

/// Lower axis and left axis of a plot.
struct Axes {
    /// Greatest value of the left axis.
    top: f64,
    step: f64,
    unit: Unit,
    /// Room on the right.
    right: f64,
}

impl Axes {
    fn new(most: f64, unit: Unit, right: f64) -> Self {
        let most = (most / unit.one).max(if unit == Unit::COUNT { 1.0 } else { 0.1 });
        let rough = most / MOST_TICKS;
        let magnitude = 10_f64.powf(rough.log10().floor());
        let steps = [1.0, 2.0, 5.0, 10.0].map(|step| step * magnitude);
        let mut step = steps.into_iter().find(|step| *step >= rough).unwrap_or(rough);
        if unit == Unit::COUNT {
            step = step.max(1.0);
        }
        Self { top: (most / step).ceil() * step, step, unit, right }
    }

    fn x(&self, place: f64) -> f64 {
        LEFT + place * (WIDTH - LEFT - self.right)
    }

    fn y(&self, value: f64) -> f64 {
        let height = HEIGHT - TOP - BOTTOM;
        HEIGHT - BOTTOM - (value / self.unit.one / self.top).clamp(0.0, 1.0) * height
    }

    /// Draws both axes; `labels` stand at their places of the lower one, from 0 to 1.
    fn draw(&self, labels: &[(f64, String)]) -> Markup {
        let ticks = (self.top / self.step).round();
        let every = labels.len().div_ceil(MOST_LABELS).max(1);
        html! {
            @for tick in 0..=count(ticks) {
                @let value = f64::from(tick) * self.step;
                @let y = self.y(value * self.unit.one);
                path.grid d={ "M" (LEFT) " " (one(y)) "H" (one(WIDTH - self.right)) } {}
                text.tick x=(one(LEFT - 8.0)) y=(one(y + 4.0)) { (short(value)) }
            }
            @if !self.unit.name.is_empty() { text.unit x=(one(LEFT)) y=(one(TOP - 6.0)) { (self.unit.name) } }
            @for (place, label) in labels.iter().step_by(every) {
                text.day x=(one(self.x(*place))) y=(one(HEIGHT - 12.0)) { (label) }
            }
        }
    }
}

/// Draws values as columns; a label without a value has none.
pub(super) fn columns(values: &[Column], unit: Unit) -> Option<Markup> {
    let most = values.iter().filter_map(|column| column.value).fold(f64::NAN, f64::max);
    if most.is_nan() {
        return None;
    }
    let axes = Axes::new(most, unit, BARE);
    let wide = 1.0 / float(values.len().max(1));
    let place = |index: usize| (float(index) + 0.5) * wide;
    let labels: Vec<(f64, String)> =
        values.iter().enumerate().map(|(index, column)| (place(index), column.label.clone())).collect();
    let width = (wide * (WIDTH - LEFT - BARE) * 0.68).min(46.0);
    Some(html! {
        (axes.draw(&labels))
        @for (index, Column { label, value, to }) in values.iter().enumerate() {
            @if let Some(value) = value {
                @let (x, y) = (axes.x(place(index)) - width / 2.0, axes.y(*value));
                (leading(to.as_deref(), &html! {
                    rect.column x=(one(x)) y=(one(y)) width=(one(width)) height=(one((HEIGHT - BOTTOM - y).max(1.0))) {
                        title { (label) ": " (short(value / unit.one)) " " (unit.name) }
                    }
                }))
            }
        }
    })
    .map(svg)
}

/// Returns a mark that a pointer opens what is behind it with. Keyboards and screen readers have the
/// table.
fn leading(to: Option<&str>, mark: &Markup) -> Markup {
    html! { @match to { Some(to) => { a href=(to) tabindex="-1" { (mark) } }, None => { (mark) } } }
}

/// A value at its time.
pub(super) struct Dot {
    /// Its place on the lower axis, from 0 to 1.
    pub(super) place: f64,
    /// The value.
    pub(super) value: f64,
    /// What it is.
    pub(super) label: String,
    /// Address of what is behind it.
    pub(super) to: String,
}

/// Draws values at their times, with lines across the whole plot.
pub(super) fn dots(values: &[Dot], lines: &[(f64, String)], labels: &[(f64, String)], unit: Unit) -> Option<Markup> {
    let most = values.iter().map(|dot| dot.value).fold(f64::NAN, f64::max);
    if most.is_nan() {
        return None;
    }
    let axes = Axes::new(most, unit, LABELLED);
    let mut last = f64::INFINITY;
    let mut named = Vec::new();
    for (value, label) in lines {
        let y = axes.y(*value);
        if last - y >= LABEL {
            named.push((y, label));
            last = y;
        }
    }
    Some(html! {
        (axes.draw(labels))
        @for (value, _) in lines {
            path.line d={ "M" (LEFT) " " (one(axes.y(*value))) "H" (one(axes.x(1.0))) } {}
        }
        @for (y, label) in named { text.name x=(one(axes.x(1.0) + 8.0)) y=(one(y + 4.0)) { (label) } }
        @for Dot { place, value, label, to } in values {
            (leading(Some(to), &html! {
                circle.dot cx=(one(axes.x(*place))) cy=(one(axes.y(*value))) r="4" { title { (label) } }
            }))
        }
    })
    .map(svg)
}

/// Draws stacked areas: for each name the upper bounds over time, the greatest first. The last one is
/// what has left.
pub(super) fn areas(names: &[String], bounds: &[Vec<f64>], labels: &[(f64, String)]) -> Option<Markup> {
    let points = bounds.first().map_or(0, Vec::len);
    let most = bounds.iter().flatten().copied().fold(0.0, f64::max);
    if points < 2 || most <= 0.0 {
        return None;
    }
    let axes = Axes::new(most, Unit::COUNT, LABELLED);
    let place = |index: usize| float(index) / float(points - 1);
    let mut labelled = f64::NEG_INFINITY;
    let mut at_end: Vec<(f64, usize)> = Vec::new();
    for (index, values) in bounds.iter().enumerate() {
        let y = axes.y(values.last().copied().unwrap_or(0.0)) + 4.0;
        // Labels that would cover each other are left out; the table has them.
        if y - labelled >= LABEL {
            at_end.push((y, index));
            labelled = y;
        }
    }
    Some(html! {
        defs { @for (id, lines) in HATCHES { (hatch(id, lines)) } }
        @for (index, values) in bounds.iter().enumerate() {
            @let path = area(&axes, values, &place);
            @let departed = index + 1 == bounds.len();
            g class={ "area " @if departed { "departed" } @else { (super::figure::color(index)) } } {
                path d=(path) { title { (names.get(index).map_or("", String::as_str)) } }
                // Beside the colour, so that neighbours differ without it.
                @if let Some((id, _)) = HATCHES.get(index % (HATCHES.len() + 1)).filter(|_| !departed) {
                    path.hatched d=(path) fill={ "url(#" (id) ")" } {}
                }
            }
        }
        (axes.draw(labels))
        @for (y, index) in at_end {
            text.name x=(one(axes.x(1.0) + 8.0)) y=(one(y)) { (names.get(index).map_or("", String::as_str)) }
        }
    })
    .map(svg)
}

/// Patterns of areas, by id, each with its lines. Every fourth area has none.
const HATCHES: [(&str, &str); 3] =
    [("hatch-rising", "M-1 7L7 -1M5 13L13 5"), ("hatch-falling", "M-1 5L7 13M5 -1L13 7"), ("hatch-level", "M0 6H12")];

fn hatch(id: &str, lines: &str) -> Markup {
    html! {
        pattern id=(id) width="12" height="12" patternUnits="userSpaceOnUse" { path.hatch d=(lines) {} }
    }
}

/// Draws a value for each name as a bar from the left, with its text behind it.
pub(super) fn bars(values: &[(String, f64, String)]) -> Option<Markup> {
    let most = values.iter().map(|(_, value, _)| *value).fold(0.0, f64::max);
    if most <= 0.0 {
        return None;
    }
    let step = (HEIGHT - 2.0 * BAR_TOP) / float(values.len().max(4));
    let wide = WIDTH - BAR_TEXT;
    Some(html! {
        @for (index, (name, value, text)) in values.iter().enumerate() {
            @let y = BAR_TOP + float(index) * step;
            @let width = (value / most * wide).max(1.0);
            text.name x="0" y=(one(y + 12.0)) { (name) }
            rect.column x="0" y=(one(y + 18.0)) width=(one(width)) height=(one((step - 26.0).clamp(6.0, 18.0))) {
                title { (name) ": " (text) }
            }
            text.name x=(one(width + 8.0)) y=(one(y + 30.0)) { (text) }
        }
    })
    .map(svg)
}

fn area(axes: &Axes, values: &[f64], place: &dyn Fn(usize) -> f64) -> String {
    let mut path = format!("M{} {}", one(axes.x(0.0)), one(HEIGHT - BOTTOM));
    for (index, value) in values.iter().enumerate() {
        let _ = write!(path, "L{} {}", one(axes.x(place(index))), one(axes.y(*value)));
    }
    let _ = write!(path, "L{} {}Z", one(axes.x(1.0)), one(HEIGHT - BOTTOM));
    path
}

#[expect(clippy::needless_pass_by_value, reason = "as map hands it over")]
fn svg(inner: Markup) -> Markup {
    // Its sentence and its table say the same to those who do not see it.
    html! { svg viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } aria-hidden="true" focusable="false" { (inner) } }
}

/// Returns a number as an axis shows it.
pub(super) fn short(value: f64) -> String {
    let text = if value.abs() >= 100.0 || (value - value.round()).abs() < 0.005 {
        format!("{value:.0}")
    } else if value.abs() >= 10.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.2}")
    };
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// Returns seconds in words, rounded: `50 min`, `3.5 h`, `12 d`.
pub(super) fn length(seconds: i64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "a length of time in seconds is far below 2^52")]
    let seconds = seconds as f64;
    match seconds {
        s if s < 60.0 => format!("{s:.0} s"),
        s if s < 2.0 * 3_600.0 => format!("{} min", rough(s / 60.0)),
        s if s < 3.0 * 86_400.0 => format!("{} h", rough(s / 3_600.0)),
        s => format!("{} d", rough(s / 86_400.0)),
    }
}

/// Returns a number with two digits, or all of its whole ones.
fn rough(value: f64) -> String {
    let text = if value >= 9.95 { format!("{value:.0}") } else { format!("{value:.1}") };
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

fn one(number: f64) -> String {
    format!("{number:.1}")
}

/// Converts a number of ticks or days.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is between 0 and the most")]
fn count(number: f64) -> u32 {
    number.clamp(0.0, 100.0) as u32
}

/// Converts a number of things.
pub(super) fn float(number: usize) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_have_few_round_steps_and_room_for_the_most() {
        for (most, unit, top, step) in [
            (0.0, Unit::COUNT, 1.0, 1.0),
            (1.0, Unit::COUNT, 1.0, 1.0),
            (7.0, Unit::COUNT, 8.0, 2.0),
            (100.0, Unit::PERCENT, 100.0, 20.0),
            (33.3, Unit::PERCENT, 40.0, 10.0),
            (9.0 * 86_400.0, Unit::of_seconds(9.0 * 86_400.0), 10.0, 2.0),
            (3_000.0, Unit::of_seconds(3_000.0), 50.0, 10.0),
        ] {
            let axes = Axes::new(most, unit, BARE);
            assert!(
                (axes.top - top).abs() < 1e-9 && (axes.step - step).abs() < 1e-9,
                "{most}: {} {}",
                axes.top,
                axes.step
            );
            assert!(axes.y(most) >= TOP - 1e-9);
        }
    }

    #[test]
    fn nothing_is_drawn_for_no_value_and_none_is_not_zero() {
        let column = |label: &str, value| Column { label: label.to_owned(), value, to: None };
        assert!(columns(&[column("a", None), column("b", None)], Unit::COUNT).is_none());
        let drawn = columns(&[column("a", None), column("b", Some(0.0)), column("<b>", Some(2.0))], Unit::COUNT);
        let drawn = drawn.unwrap().into_string();
        assert_eq!(drawn.matches("<rect").count(), 2);
        assert!(drawn.contains("&lt;b&gt;") && !drawn.contains("<b>"), "{drawn}");
        assert!(areas(&[], &[], &[]).is_none() && dots(&[], &[], &[], Unit::COUNT).is_none());
    }

    #[test]
    fn lengths_and_numbers_are_short() {
        let lengths = [0, 59, 60, 5400, 7200, 90_000, 259_200, 1_000_000].map(length);
        assert_eq!(lengths, ["0 s", "59 s", "1 min", "90 min", "2 h", "25 h", "3 d", "12 d"]);
        assert_eq!([0.0, 0.5, 0.25, 12.34, 100.4, 7.0].map(short), ["0", "0.5", "0.25", "12.3", "100", "7"]);
    }
}
