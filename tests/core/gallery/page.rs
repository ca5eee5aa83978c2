//! The gallery as one HTML page, in the look of GitHub.

use std::{collections::BTreeMap, fmt::Write as _};

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd, html};

use super::{Message, Messages};

const STYLE: &str = include_str!("page.css");

/// Sets the look by the address: `#dark-narrow`, or of one file alone `#dark-narrow/11-an-incident`.
const SCRIPT: &str = "const look = () => { const [look, file] = location.hash.slice(1).split('/');\n\
                      document.body.className = look.replace('-', ' ');\n\
                      for (const section of document.querySelectorAll('section'))\n\
                      section.hidden = file !== undefined && section.id !== file; };\n\
                      addEventListener('hashchange', look); look();";

pub fn page(gallery: &BTreeMap<String, (String, Messages)>) -> String {
    let mut out = format!(
        "<!doctype html><meta charset=utf-8><meta name=viewport content=\"width=device-width\"><title>phasebot gallery</title><style>{STYLE}</style>\n<body><nav><a href=\"#light-wide\">light</a> <a href=\"#dark-wide\">dark</a> <a href=\"#light-narrow\">light, narrow</a> <a href=\"#dark-narrow\">dark, narrow</a></nav>\n"
    );
    for (name, (about, messages)) in gallery {
        let _ = writeln!(out, "<section id=\"{name}\"><h1>{}</h1>", escape(about));
        for message in messages.shown() {
            out.push_str(&card(message));
        }
        out.push_str("</section>\n");
    }
    let _ = write!(out, "<script>{SCRIPT}</script>");
    out
}

fn card(Message { kind, place, title, text }: &Message) -> String {
    let is_check = kind.starts_with("Check run");
    let title = if title.is_empty() { String::new() } else { format!("<h2>{}</h2>", escape(title)) };
    let body = rendered(text, !is_check);
    format!(
        "<article><header><b>phasebot</b> <small>bot</small> {} · {}</header><div class=body>{title}{body}</div></article>\n",
        escape(kind),
        escape(place)
    )
}

/// Renders Markdown; in comments, GitHub links `#4` to the item.
fn rendered(markdown: &str, links_items: bool) -> String {
    let options =
        Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS | Options::ENABLE_GFM;
    let mut in_code = 0;
    let mut in_link = 0;
    let events = Parser::new_ext(markdown, options).map(|event| {
        match &event {
            Event::Start(Tag::CodeBlock(_)) => in_code += 1,
            Event::End(TagEnd::CodeBlock) => in_code -= 1,
            Event::Start(Tag::Link { .. }) => in_link += 1,
            Event::End(TagEnd::Link) => in_link -= 1,
            _ => {}
        }
        match event {
            Event::Text(text) if in_code == 0 && in_link == 0 && links_items => Event::InlineHtml(items(&text).into()),
            other => other,
        }
    });
    let mut out = String::new();
    html::push_html(&mut out, events);
    out
}

fn items(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('#') {
        let digits = rest[at + 1..].chars().take_while(char::is_ascii_digit).count();
        out.push_str(&escape(&rest[..at]));
        let end = at + 1 + digits;
        if digits > 0 {
            let _ = write!(out, "<a href=\"#\">{}</a>", &rest[at..end]);
        } else {
            out.push('#');
        }
        rest = &rest[end..];
    }
    out + &escape(rest)
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
