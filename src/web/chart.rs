//! Charts: a title, a sentence that says what is to be seen, the picture, and its table.

use maud::{Markup, html};

/// A chart with its words and its table.
pub(super) struct Chart {
    /// Fragment of the page.
    pub(super) id: &'static str,
    /// What it shows.
    pub(super) title: String,
    /// What is to be seen, in a sentence.
    pub(super) summary: String,
    /// Where to ask on: the rows behind it, and its definition.
    pub(super) links: Vec<(&'static str, String)>,
    /// The picture; `None` if there is nothing to show.
    pub(super) plot: Option<Markup>,
    /// Head of the table.
    pub(super) columns: Vec<String>,
    /// Rows of the table.
    pub(super) rows: Vec<Vec<Cell>>,
}

/// A cell of a table.
pub(super) struct Cell {
    text: String,
    /// Address of what is behind it.
    to: Option<String>,
}

impl Cell {
    /// Returns a cell that leads to an address.
    pub(super) fn link(text: impl Into<String>, to: String) -> Self {
        Self { text: text.into(), to: Some(to) }
    }

    fn render(&self) -> Markup {
        html! { @match &self.to { Some(to) => { a href=(to) { (self.text) } }, None => { (self.text) } } }
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self { text, to: None }
    }
}

impl Chart {
    /// Returns the chart.
    pub(super) fn render(&self) -> Markup {
        html! {
            figure.chart id=(self.id) aria-labelledby={ (self.id) "-title" } {
                figcaption {
                    h2 id={ (self.id) "-title" } { (self.title) }
                    // A number and its sign stay together.
                    p { (self.summary.replace(" %", "\u{a0}%")) }
                    @if !self.links.is_empty() {
                        p.links { @for (words, to) in &self.links { a href=(to) { (words) } " " } }
                    }
                }
                @if let Some(plot) = &self.plot {
                    div.plot tabindex="0" role="region" aria-label={ "Chart: " (self.title) } { (plot) }
                }
                @if !self.rows.is_empty() {
                    details id={ (self.id) "-table" } {
                        summary { "Table: " (self.title) }
                        div.scroll tabindex="0" role="region" aria-label={ "Table: " (self.title) } {
                            table {
                                thead { tr { @for column in &self.columns { th scope="col" { (column) } } } }
                                tbody {
                                    @for row in &self.rows {
                                        tr {
                                            @for (index, cell) in row.iter().enumerate() {
                                                @if index == 0 { th scope="row" { (cell.render()) } } @else { td { (cell.render()) } }
                                            }
                                        }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}
