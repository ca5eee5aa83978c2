//! Our sentences, which are Markdown with everything from outside neutralised, as HTML.

use maud::{Markup, PreEscaped, html};
use pulldown_cmark::{Event, Parser, Tag, TagEnd};

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
