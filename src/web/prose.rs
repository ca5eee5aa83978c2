//! Our sentences, which are Markdown with everything from outside neutralised, as HTML.

use std::collections::BTreeSet;

use maud::{Markup, PreEscaped, html};
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

/// Returns the sentence as inline HTML: code, emphasis, and links to https addresses. Everything
/// else is text.
pub(super) fn inline(markdown: &str) -> Markup {
    sentence(markdown, None)
}

/// Returns the sentence as inline HTML like [`inline`], with links to the pages of the items of a
/// repository that it names as `#12`.
pub(super) fn linked(markdown: &str, full_name: &str) -> Markup {
    sentence(markdown, Some(full_name))
}

fn sentence(markdown: &str, items_of: Option<&str>) -> Markup {
    let mut out = String::with_capacity(markdown.len() + 16);
    let mut links = Vec::new();
    for event in Parser::new(markdown) {
        match event {
            Event::Text(text) if links.is_empty() => match items_of {
                Some(full_name) => out += &with_items(&text, full_name),
                None => out += &escaped(&text),
            },
            Event::Text(text) | Event::Html(text) | Event::InlineHtml(text) => out += &escaped(&text),
            Event::Code(code) => out += &html! { code { (&*code) } }.into_string(),
            Event::SoftBreak | Event::HardBreak => out.push(' '),
            Event::Start(Tag::Strong) => out += "<strong>",
            Event::End(TagEnd::Strong) => out += "</strong>",
            Event::Start(Tag::Emphasis) => out += "<em>",
            Event::End(TagEnd::Emphasis) => out += "</em>",
            Event::Start(Tag::Link { dest_url, .. }) => {
                let is_web = dest_url.starts_with("https://");
                links.push(is_web);
                if is_web {
                    out += "<a rel=\"noreferrer\" href=\"";
                    out += &escaped(&dest_url);
                    out += "\">";
                }
            }
            Event::End(TagEnd::Link) if links.pop() == Some(true) => out += "</a>",
            _ => {}
        }
    }
    PreEscaped(out)
}

/// Returns a page of our own documentation as HTML. Headings are called by their words; links lead within
/// the page and to https addresses.
pub(super) fn document(markdown: &str) -> String {
    let mut events: Vec<Event<'_>> = Vec::new();
    let (mut heading, mut names, mut links) = (None, BTreeSet::new(), Vec::new());
    for event in Parser::new_ext(markdown, Options::ENABLE_TABLES) {
        match event {
            Event::Start(Tag::Heading { .. }) => {
                heading = Some((events.len(), String::new()));
                events.push(event);
            }
            Event::End(TagEnd::Heading(_)) => {
                if let Some((at, words)) = heading.take()
                    && let Event::Start(Tag::Heading { id, .. }) = &mut events[at]
                    && names.insert(words.clone())
                {
                    *id = Some(words.into());
                }
                events.push(event);
            }
            Event::Start(Tag::Link { ref dest_url, .. }) => {
                let leads = dest_url.starts_with('#') || dest_url.starts_with("https://");
                links.push(leads);
                events.extend(leads.then_some(event));
            }
            Event::End(TagEnd::Link) => events.extend((links.pop() == Some(true)).then_some(event)),
            Event::Html(text) | Event::InlineHtml(text) => events.push(Event::Text(text)),
            event => {
                if let (Some((_, words)), Event::Text(text) | Event::Code(text)) = (&mut heading, &event) {
                    words.extend(text.to_lowercase().chars().map(|c| if c.is_alphanumeric() { c } else { '-' }));
                }
                events.push(event);
            }
        }
    }
    let mut out = String::new();
    pulldown_cmark::html::push_html(&mut out, events.into_iter());
    out
}

/// Returns text with a link for each `#12` in it.
fn with_items(text: &str, full_name: &str) -> String {
    let (mut out, mut rest) = (String::new(), text);
    while let Some(at) = rest.find('#') {
        let digits = rest[at + 1..].bytes().take_while(u8::is_ascii_digit).count();
        let end = at + 1 + digits;
        let follows_word = rest[..at].chars().next_back().is_some_and(char::is_alphanumeric);
        if digits == 0 || digits > 18 || follows_word {
            out += &escaped(&rest[..end]);
        } else {
            let number = &rest[at + 1..end];
            out += &escaped(&rest[..at]);
            out += &html! { a href={ "/" (full_name) "/items/" (number) } { "#" (number) } }.into_string();
        }
        rest = &rest[end..];
    }
    out + &escaped(rest)
}

fn escaped(text: &str) -> String {
    html! { (text) }.into_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_are_linked_and_what_looks_like_one_is_not() {
        let html = linked("#12 and (#3): a#4, # 5, `#6`, #\u{200b}7", "acme/shop").into_string();
        assert_eq!(
            html,
            "<a href=\"/acme/shop/items/12\">#12</a> and (<a href=\"/acme/shop/items/3\">#3</a>): a#4, # 5, \
             <code>#6</code>, #\u{200b}7"
        );
    }

    #[test]
    fn a_document_has_named_headings_tables_and_links_that_lead_somewhere() {
        let html = document(
            "## Gate waits\n\nSee [all](#gate-waits), [policy](policy.md), [d](https://d.example) <b>\n\n| k | |\n| --- | --- |\n| `a` | b |\n",
        );
        for part in [
            "<h2 id=\"gate-waits\">Gate waits</h2>",
            "<a href=\"#gate-waits\">all</a>, policy, <a href=\"https://d.example\">d</a> &lt;b&gt;",
            "<td><code>a</code></td><td>b</td>",
        ] {
            assert!(html.contains(part), "{part}\n{html}");
        }
    }

    #[test]
    fn our_marks_become_elements_and_all_else_is_text() {
        for (markdown, html) in [
            ("`build` when it is merged", "<code>build</code> when it is merged"),
            ("**bob** held it: \u{201c}1 &lt; 2\u{201d}", "<strong>bob</strong> held it: \u{201c}1 &lt; 2\u{201d}"),
            (
                "see [run](https://ci.example/1?a=1&b=2)",
                "see <a rel=\"noreferrer\" href=\"https://ci.example/1?a=1&amp;b=2\">run</a>",
            ),
            ("[x](javascript:alert(1))", "x"),
            ("[x](http://plain.example)", "x"),
            ("a <script>alert(1)</script> b", "a &lt;script&gt;alert(1)&lt;/script&gt; b"),
            ("<img src=x onerror=alert(1)>", "&lt;img src=x onerror=alert(1)&gt;"),
            ("![x](https://elsewhere.example/pixel.png)", "x"),
            ("`<b>`", "<code>&lt;b&gt;</code>"),
        ] {
            assert_eq!(inline(markdown).into_string(), html, "{markdown}");
        }
    }
}
