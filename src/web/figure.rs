//! The loop as a figure of eight: its left half is the first half of the policy's phases, its right
//! half the rest, which leads back to the beginning.

use std::f64::consts::TAU;
use std::fmt::Write as _;

use maud::{Markup, html};

/// Points by which a phase's part of the track is drawn.
const SAMPLES: u32 = 28;
/// Longest name that fits, in characters.
const LONGEST_NAME: usize = 14;
/// Colours of the style sheet.
const COLORS: usize = 8;

/// A phase, as the figure shows it.
pub(super) struct Station {
    /// Name.
    pub(super) name: String,
    /// Number of items.
    pub(super) items: u64,
    /// Age of the oldest item.
    pub(super) oldest: Option<String>,
    /// Fragment of the page to which it leads.
    pub(super) anchor: String,
}

/// Returns the class that colours a phase.
pub(super) fn color(index: usize) -> String {
    format!("p{}", index % COLORS)
}

/// Shape of the figure, as lengths in the picture's own units. Its middle is at 0, 0.
struct Shape {
    width: f64,
    /// Height, if no label needs more.
    height: f64,
    /// From the crossing to the middle of each lobe.
    reach: f64,
    /// Radius of the lobes.
    radius: f64,
    /// Smallest radius of a station, and what its share of the items adds.
    station: (f64, f64),
    /// Size of the numbers.
    count: f64,
    /// Whether the lobes are one above the other.
    tall: bool,
}

const WIDE: Shape =
    Shape { width: 940.0, height: 336.0, reach: 196.0, radius: 134.0, station: (29.0, 11.0), count: 25.0, tall: false };

const TALL: Shape =
    Shape { width: 320.0, height: 488.0, reach: 134.0, radius: 92.0, station: (24.0, 6.0), count: 20.0, tall: true };

/// Returns the figure in both shapes; the style sheet shows the one that fits.
pub(super) fn figure(stations: &[Station]) -> Markup {
    html! { (WIDE.draw(stations)) (TALL.draw(stations)) }
}

impl Shape {
    /// Returns a point of the figure. `way` goes from 0 at the crossing through the first lobe to 1
    /// at the crossing, and through the second one to 2.
    fn point(&self, way: f64) -> (f64, f64) {
        let alpha = (self.radius / self.reach).acos();
        let straight = (self.reach.powi(2) - self.radius.powi(2)).sqrt();
        let arc = self.radius * (TAU - 2.0 * alpha);
        let at = way.rem_euclid(1.0) * (2.0 * straight + arc);
        let (tangent_x, tangent_y) = (self.radius * alpha.cos() - self.reach, self.radius * alpha.sin());
        let (x, y) = if at < straight {
            (tangent_x * at / straight, -tangent_y * at / straight)
        } else if at < straight + arc {
            let angle = -alpha - (at - straight) / self.radius;
            (self.radius * angle.cos() - self.reach, self.radius * angle.sin())
        } else {
            let left = (2.0 * straight + arc - at) / straight;
            (tangent_x * left, tangent_y * left)
        };
        let x = if way.rem_euclid(2.0) < 1.0 { x } else { -x };
        if self.tall { (y, x) } else { (x, y) }
    }

    /// Returns where a phase's part of the track begins and how long it is.
    fn part(index: usize, all: usize) -> (f64, f64) {
        let first = all.div_ceil(2);
        let (lobe, index, of) = if index < first { (0.0, index, first) } else { (1.0, index - first, all - first) };
        let of = float(of.max(1));
        (lobe + float(index) / of, 1.0 / of)
    }

    fn track(&self, from: f64, to: f64) -> String {
        let mut path = String::new();
        for sample in 0..=SAMPLES {
            // The end of a lobe is the beginning of the next one, at the same place.
            let way = from + (to - from) * f64::from(sample) / f64::from(SAMPLES);
            let (x, y) = self.point(way);
            let _ = write!(path, "{}{x:.1} {y:.1}", if sample == 0 { "M" } else { "L" });
        }
        path
    }

    fn draw(&self, stations: &[Station]) -> Markup {
        let all = stations.len();
        let first = all.div_ceil(2);
        let most = stations.iter().map(|station| station.items).max().unwrap_or(0);
        let half = |stations: &[Station]| stations.iter().map(|station| station.items).sum::<u64>();
        // On two lines where a lobe is narrow.
        let span = |stations: &[Station]| match stations {
            [] => Vec::new(),
            [one] => vec![short(&one.name)],
            [one, .., last] if self.tall => vec![short(&one.name), format!("to {}", short(&last.name))],
            [one, .., last] => vec![format!("{} to {}", short(&one.name), short(&last.name))],
        };
        let (left, right) = stations.split_at(first);
        let lobe = |side: f64| if self.tall { (0.0, side * self.reach) } else { (side * self.reach, 0.0) };
        let height = self.height_for(stations, most);
        let class = if self.tall { "loop tall" } else { "loop wide" };
        html! {
            svg class=(class) role="group"
                viewBox={ (one(-self.width / 2.0)) " " (one(-height / 2.0)) " " (one(self.width)) " " (one(height)) }
                aria-label="The loop: the number of items in each phase" {
                @if right.is_empty() { path.track.idle d=(self.track(1.0, 2.0)) {} }
                // The way from the first lobe to the second passes over the way back.
                @for lobe in [right, left] {
                    @let offset = if lobe.as_ptr() == left.as_ptr() { 0 } else { first };
                    @for index in offset..offset + lobe.len() {
                        @let (from, length) = Self::part(index, all);
                        g class=(color(index)) { path.track d=(self.track(from, from + length * 0.9999)) {} }
                    }
                }
                @if !right.is_empty() && first > 0 {
                    (self.bridge(first, all))
                }
                @for index in 0..all {
                    @let (from, length) = Self::part(index, all);
                    (self.arrow(from + length * 0.86))
                }
                @for (index, station) in stations.iter().enumerate() {
                    (self.station(index, all, station, most))
                }
                @for (stations, side) in [(left, -1.0), (right, 1.0)] {
                    @let (x, y) = lobe(side);
                    g aria-hidden="true" {
                        @let lines = span(stations);
                        @let up = if lines.len() > 1 { 10.0 } else { 0.0 };
                        text.total x=(one(x)) y=(one(y + 8.0 - up)) { (count(half(stations))) }
                        @for (line, words) in lines.iter().enumerate() {
                            text.span x=(one(x)) y=(one(y + 32.0 - up + 18.0 * float(line))) { (words) }
                        }
                    }
                }
            }
        }
    }

    /// Draws the crossing anew for the way that passes over it.
    fn bridge(&self, first: usize, all: usize) -> Markup {
        let (last, next) = (Self::part(first - 1, all), Self::part(first, all));
        let reach = (0.05_f64).min(last.1 / 2.0).min(next.1 / 2.0);
        html! {
            path.casing d=(self.track(1.0 - reach * 0.8, 1.0 + reach * 0.8)) {}
            g class=(color(first - 1)) { path.track d=(self.track(1.0 - reach, 0.9999)) {} }
            g class=(color(first)) { path.track d=(self.track(1.0, 1.0 + reach)) {} }
        }
    }

    fn arrow(&self, way: f64) -> Markup {
        let ((x, y), (after_x, after_y)) = (self.point(way), self.point(way + 0.004));
        let angle = (after_y - y).atan2(after_x - x).to_degrees();
        html! {
            path.way d="M-3.5-5.5 3 0-3.5 5.5" transform={ "translate(" (one(x)) " " (one(y)) ") rotate(" (one(angle)) ")" } {}
        }
    }

    /// Returns the middle of a station, and its radius.
    fn place(&self, index: usize, all: usize, station: &Station, most: u64) -> (f64, f64, f64) {
        let (from, length) = Self::part(index, all);
        let (x, y) = self.point(from + length / 2.0);
        let share = if most == 0 { 0.0 } else { (big(station.items) / big(most)).sqrt() };
        (x, y, self.station.0 + self.station.1 * share)
    }

    /// Returns the height that the labels need, which a policy with other phases has elsewhere.
    fn height_for(&self, stations: &[Station], most: u64) -> f64 {
        let far = stations.iter().enumerate().map(|(index, station)| {
            let (x, y, radius) = self.place(index, stations.len(), station, most);
            let label = self.label(x, y, radius).1;
            (18.0 - label).max(label + 26.0)
        });
        far.fold(self.height / 2.0, f64::max) * 2.0
    }

    fn station(&self, index: usize, all: usize, station: &Station, most: u64) -> Markup {
        let (x, y, radius) = self.place(index, all, station, most);
        let (label_x, label_y, anchor) = self.label(x, y, radius);
        let number = count(station.items);
        let size = self.count * if number.len() > 4 { 0.74 } else { 1.0 };
        let class = if station.items == 0 { format!("{} none", color(index)) } else { color(index) };
        html! {
            // Its text is its name, so that people who speak to their computer can say what they see.
            a class=(class) href={ "#" (station.anchor) } {
                circle.disc cx=(one(x)) cy=(one(y)) r=(one(radius)) {}
                text class={ "name " (anchor) } x=(one(label_x)) y=(one(label_y)) { (short(&station.name)) }
                text.count x=(one(x)) y=(one(y + size * 0.35)) font-size=(one(size)) { (number) }
                @if let Some(age) = &station.oldest {
                    text class={ "age " (anchor) } x=(one(label_x)) y=(one(label_y + 19.0)) {
                        @if self.tall { (age) } @else { "oldest " (age) }
                    }
                }
            }
        }
    }

    /// Returns the place of a station's label: outside of the figure, beside or above the station.
    fn label(&self, x: f64, y: f64, radius: f64) -> (f64, f64, &'static str) {
        let gap = radius + 12.0;
        // The track bends away from the middle there, and leaves room towards it.
        let shift = if self.tall { 0.0 } else { -x.signum() * 24.0 };
        let above = (x + shift, y - gap - 20.0, "middle");
        let below = (x + shift, y + gap + 13.0, "middle");
        let beside = |away: bool| {
            let right = (x > 0.0) == away;
            if right { (x + gap, y, "start") } else { (x - gap, y, "end") }
        };
        // The outer stations of the wide shape, and the inner ones of the tall shape.
        let is_beside = if self.tall { y.abs() < self.reach } else { x.abs() > self.reach + self.radius * 0.3 };
        match (is_beside, y < 0.0) {
            (true, _) => beside(true),
            (false, true) => above,
            (false, false) => below,
        }
    }
}

/// Returns a number of items in at most five characters: `12`, `9876`, `12.3k`.
fn count(items: u64) -> String {
    match items {
        0..10_000 => items.to_string(),
        10_000..100_000 => format!("{}.{}k", items / 1000, items / 100 % 10),
        100_000..10_000_000 => format!("{}k", items / 1000),
        _ => format!("{}M", items / 1_000_000),
    }
}

/// Returns `1 item`, `2 items`.
pub(super) fn items(number: u64) -> String {
    format!("{number} item{}", if number == 1 { "" } else { "s" })
}

fn short(name: &str) -> String {
    match name.char_indices().nth(LONGEST_NAME) {
        Some((end, _)) => format!("{}…", &name[..end]),
        None => name.to_owned(),
    }
}

fn one(number: f64) -> String {
    format!("{number:.1}")
}

fn float(number: usize) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}

fn big(number: u64) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stations(number: usize) -> Vec<Station> {
        let station =
            |n: usize| Station { name: format!("phase {n}"), items: n as u64, oldest: None, anchor: format!("p-{n}") };
        (0..number).map(station).collect()
    }

    fn near(one: (f64, f64), other: (f64, f64)) -> bool {
        (one.0 - other.0).hypot(one.1 - other.1) < 0.01
    }

    #[test]
    fn the_way_is_closed_and_crosses_itself_in_the_middle() {
        for shape in [&WIDE, &TALL] {
            let middle = (0.0, 0.0);
            assert!(near(shape.point(0.0), middle) && near(shape.point(1.0), middle) && near(shape.point(2.0), middle));
            assert!(near(shape.point(0.999_999), middle) && near(shape.point(1.999_999), middle));
            for hundredth in 0..200 {
                let (x, y) = shape.point(f64::from(hundredth) / 100.0);
                assert!(2.0 * x.abs() <= shape.width && 2.0 * y.abs() <= shape.height);
            }
        }
    }

    #[test]
    fn every_policy_has_a_figure_with_its_phases_apart() {
        for number in 0..=14 {
            let drawn = figure(&stations(number)).into_string();
            assert_eq!(drawn.matches("<a ").count(), 2 * number, "{number}");
            for (one, other) in (0..number).flat_map(|one| (0..one).map(move |other| (one, other))) {
                let place = |index| {
                    let (from, length) = Shape::part(index, number);
                    WIDE.point(from + length / 2.0)
                };
                assert!(!near(place(one), place(other)), "{number}: {one} and {other}");
            }
        }
    }

    #[test]
    fn large_numbers_stay_short() {
        let counts = [0, 9_999, 10_000, 12_345, 100_000, 1_234_567, 12_345_678].map(count);
        assert_eq!(counts, ["0", "9999", "10.0k", "12.3k", "100k", "1234k", "12M"]);
    }

    #[test]
    fn a_name_from_outside_is_text() {
        let mut stations = stations(2);
        stations[0].name = "<script>\"&".to_owned();
        let drawn = figure(&stations).into_string();
        assert!(!drawn.contains("<script>") && drawn.contains("&lt;script&gt;"), "{drawn}");
    }
}
