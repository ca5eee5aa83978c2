//! Nothing in an alert's text is active in our issues. Checks the parsed Markdown by this file's
//! own rules and not by those of the program.

use std::collections::BTreeMap;

use phasebot_core::{
    command::parse::read,
    domain::{
        alert::{Alert, Feedback},
        policy::CommandRules,
    },
    incident::{
        render::{LONGEST_BODY, feedback, render, storm},
        rendered_text,
        view::{IncidentView, StormLine, StormView, Suspect},
    },
    text::sanitize,
};
use proptest::prelude::*;
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use super::look::full;

/// Texts made of characters that forges, Markdown and our own templates interpret.
pub fn hostile() -> impl Strategy<Value = String> {
    let nasty = prop::sample::select(vec![
        "@everyone",
        "@acme/sre",
        "@",
        "#12",
        "#",
        "GH-7",
        "gh-8",
        "fixes #3",
        "Closes: acme/shop#4",
        "acme/shop@0a1b2c3d",
        "/deploy production",
        "\n/lock",
        "/",
        "<!-- phasebot:incident:1 -->",
        "-->",
        "<img src=x onerror=1>",
        "</td>",
        "</details>",
        "<script>",
        "<",
        ">",
        "[x](javascript:1)",
        "![i](http://a/b)",
        "[a]: http://x.y\n",
        "[a]",
        "[^1]",
        "https://github.com/acme/shop/issues/1",
        "http://",
        "://",
        ":",
        "//",
        "www.example.com",
        "www.",
        "ftp://x.y",
        "mailto:a@b.c",
        "a@b.example",
        "<https://a.b>",
        "```",
        "~~~",
        "`",
        "``",
        "|",
        "\n",
        "\r\n",
        "\n\n",
        "\r",
        "\u{2028}",
        "\u{b}",
        "\u{85}",
        "&#64;bob",
        "&#x40;bob",
        "&commat;bob",
        "&num;12",
        "&lt;b&gt;",
        "&amp;#64;bob",
        "&",
        "&#",
        "&#x110000;",
        ";",
        "\\",
        "\\\\",
        "\u{200b}",
        "\u{202e}",
        "@\u{200d}bob",
        "\u{feff}",
        "\u{e0041}",
        "\u{ad}",
        "deadbeef",
        "0123456789abcdef0123456789abcdef01234567",
        "> ",
        "# ",
        "- [ ] ",
        "* ",
        "1. ",
        "1) ",
        "===",
        "---",
        "    ",
        "\t",
        "$x$",
        "{{ title }}",
        "{% raw %}",
        "_",
        "*",
        "**",
        "~",
        "~~",
        "!",
        "![",
        "](",
        "]",
        "[",
        "(",
        ")",
        "\u{ff20}bob",
        "\u{a0}",
        "\u{3000}",
        "\0",
        "x",
        "word ",
        " ",
    ]);
    let piece = prop_oneof![4 => nasty.prop_map(str::to_owned), 1 => any::<char>().prop_map(|c| c.to_string()), 1 => "[a-f0-9]{1,12}"];
    prop::collection::vec(piece, 0..14).prop_map(|pieces| pieces.concat())
}

/// Returns the visible text outside of code, and everything that is not plain prose.
fn seen(markdown: &str) -> (String, Vec<String>) {
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_GFM;
    let (mut prose, mut found, mut in_code) = (String::new(), Vec::new(), false);
    for event in Parser::new_ext(markdown, options) {
        match event {
            Event::Start(Tag::CodeBlock(_)) => in_code = true,
            Event::End(TagEnd::CodeBlock) => in_code = false,
            Event::Text(text) if !in_code => prose.push_str(&text),
            Event::Code(_) => prose.push('`'),
            Event::Html(html) | Event::InlineHtml(html) => found.push(html.into_string()),
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                found.push(dest_url.into_string());
            }
            Event::FootnoteReference(name) => found.push(name.into_string()),
            Event::Text(_)
            | Event::Start(Tag::Emphasis | Tag::Strong | Tag::Strikethrough)
            | Event::End(TagEnd::Emphasis | TagEnd::Strong | TagEnd::Strikethrough | TagEnd::Link) => {}
            _ => prose.push('\n'),
        }
    }
    (prose, found)
}

/// Returns a part of the prose that a forge would act on.
fn acted_on(prose: &str) -> Option<String> {
    let lower = prose.to_lowercase();
    let chars: Vec<char> = lower.chars().collect();
    for (at, pair) in chars.windows(2).enumerate() {
        let mention = pair[0] == '@' && pair[1].is_alphanumeric();
        let item = pair[0] == '#' && pair[1].is_ascii_digit();
        if mention || item {
            return Some(chars[at..].iter().take(20).collect());
        }
    }
    if let Some(at) = lower.find("://").or_else(|| lower.find("www.")) {
        return Some(lower[at..].chars().take(20).collect());
    }
    let gh = lower.match_indices("gh-").find(|(at, _)| lower[at + 3..].starts_with(|c: char| c.is_ascii_digit()));
    if let Some((at, _)) = gh {
        return Some(lower[at..].to_owned());
    }
    let word = |w: &&str| (7..=64).contains(&w.len()) && w.bytes().all(|b| b.is_ascii_hexdigit());
    if let Some(sha) = lower.split(|c: char| !c.is_ascii_alphanumeric()).find(word) {
        return Some(sha.to_owned());
    }
    lower
        .lines()
        .map(str::trim)
        .find(|line| line.strip_prefix('/').is_some_and(|rest| rest.starts_with(char::is_alphabetic)))
        .map(str::to_owned)
}

#[track_caller]
fn harmless(markdown: &str) {
    let (prose, found) = seen(markdown);
    assert!(found.is_empty(), "{found:?} in\n{markdown}");
    let acted = acted_on(&prose);
    assert!(acted.is_none(), "{acted:?} in\n{markdown}");
    let lines = read(markdown, &CommandRules::default(), jiff::Timestamp::UNIX_EPOCH);
    assert!(lines.is_empty(), "{lines:?} in\n{markdown}");
    let found = rendered_text::live(markdown);
    assert!(found.is_empty(), "{found:?} in\n{markdown}");
}

/// Returns the top-level blocks of a text.
fn blocks(markdown: &str) -> Vec<&'static str> {
    let (mut depth, mut found) = (0, Vec::new());
    for event in Parser::new_ext(markdown, Options::ENABLE_TABLES) {
        match event {
            Event::Start(tag) => {
                if depth == 0 {
                    found.push(match tag {
                        Tag::Paragraph => "paragraph",
                        Tag::BlockQuote(_) => "quote",
                        Tag::CodeBlock(_) => "code",
                        Tag::Table(_) => "table",
                        Tag::Heading { .. } => "heading",
                        Tag::List(_) => "list",
                        _ => "other",
                    });
                }
                depth += 1;
            }
            Event::End(_) => depth -= 1,
            Event::Rule if depth == 0 => found.push("rule"),
            _ => {}
        }
    }
    found
}

fn cells(markdown: &str) -> usize {
    Parser::new_ext(markdown, Options::ENABLE_TABLES).filter(|e| matches!(e, Event::Start(Tag::TableCell))).count()
}

/// Returns a body without our own fold: its first opening line, and the last line that closes one.
/// Whatever else looks like a fold has to be inactive.
fn unfolded(body: &str) -> String {
    let mut lines: Vec<&str> = body.lines().collect();
    let is_start = |line: &&str| line.starts_with("<details") && line.ends_with("</summary>");
    let end = lines.iter().rposition(|line| *line == "</details>").expect("an end");
    lines.remove(end);
    let start = lines.iter().position(is_start).expect("a start");
    lines.remove(start);
    lines.join("\n")
}

fn stormy(lines: Vec<StormLine>, texts: &[String]) -> StormView {
    let view = view(texts);
    StormView {
        lines,
        connections: view.connection,
        environments: view.environment.iter().cloned().collect(),
        severities: view.severity.iter().cloned().collect(),
        environment: view.environment,
        severity: view.severity,
        own: Vec::new(),
        suspects: Vec::new(),
        rollback: view.rollback,
        turn: view.turn,
        muted_until: None,
        zone: view.zone,
    }
}

fn view(texts: &[String]) -> IncidentView {
    let text = |n: usize| texts[n % texts.len()].clone();
    let labels =
        |from: usize| -> BTreeMap<String, String> { (from..from + 4).map(|n| (text(n), text(n + 1))).collect() };
    let mut view = full();
    view.connection = text(0);
    view.state = text(1);
    view.title = text(2);
    view.text = Some(text(3));
    view.url = Some(text(4));
    view.labels = labels(5);
    view.severity = Some(text(6));
    view.environment = Some(text(7));
    view.acked_by = Some(text(8));
    view.cause = Some(text(9));
    view.cause_title = Some(text(10));
    view.cause_by = Some(text(11));
    view.service = Some(text(12));
    view.rollback = Some(text(10));
    view.alerts = (0..3)
        .map(|n| Alert {
            fingerprint: text(n),
            labels: labels(n),
            annotations: labels(n + 2).into_iter().chain([("summary".to_owned(), text(n))]).collect(),
            url: Some(text(n + 3)),
            silence_url: Some(text(n + 4)),
            ..full().alerts[0].clone()
        })
        .collect();
    view.suspects = vec![Suspect {
        environment: text(1),
        reference: text(2),
        commit: text(3),
        actor: Some(text(4)),
        ..full().suspects[0].clone()
    }];
    view
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn words_within_a_line(text in hostile()) {
        let words = sanitize::inline(&text, 200);
        prop_assert!(!words.contains(['\n', '\r']));
        for place in [words.clone(), format!("a {words} b"), format!("a\n{words}\nb"), format!("# {words}"), format!("- {words}"), format!("> {words}"), format!("**{words}** x")] {
            harmless(&place);
        }
        let table = format!("| a | b |\n| - | - |\n| {words} | c |\n");
        harmless(&table);
        prop_assert_eq!(cells(&table), 4, "{}", table);
        let last = blocks(&format!("{words}\n\nend")).pop();
        prop_assert_eq!(last, Some("paragraph"));
    }

    #[test]
    fn words_as_a_quotation(text in hostile()) {
        let quote = sanitize::block(&text, 200);
        let whole = format!("before{quote}after");
        harmless(&whole);
        prop_assert_eq!(blocks(&whole), ["paragraph", "quote", "paragraph"], "{}", whole);
    }

    #[test]
    fn words_as_code(text in hostile()) {
        let code = sanitize::code(&text, 200);
        harmless(&format!("a {code} b"));
        harmless(&code);
        let block = format!("before{}after", sanitize::fence(&text, 200));
        harmless(&block);
        prop_assert_eq!(blocks(&block), ["paragraph", "code", "paragraph"], "{}", block);
    }

    #[test]
    fn words_as_a_title(text in hostile()) {
        let title = sanitize::title(&text, 200);
        prop_assert!(acted_on(&title).is_none(), "{}", title);
        prop_assert!(title.chars().count() <= 2 * 201 && !title.chars().any(char::is_control));
    }

    #[test]
    fn links_lead_to_the_web_and_nowhere_else(text in hostile(), head in "(https?|HTTP|ftp|javascript|data)?(://)?[a-z.]{0,8}/?") {
        let address = format!("{head}{text}");
        if let Some(link) = sanitize::link(&address) {
            let markdown = format!("[x](<{link}>) end");
            let (prose, found) = seen(&markdown);
            prop_assert_eq!(prose.trim(), "x end", "{}", markdown);
            prop_assert_eq!(found, std::slice::from_ref(&link), "{}", markdown);
            prop_assert!(link.starts_with("https://") || link.starts_with("http://"));
            prop_assert!(!link.contains("/issues/") && !link.contains("/pull/"), "{}", link);
        }
    }

    #[test]
    fn whole_issues(texts in prop::collection::vec(hostile(), 1..12)) {
        let view = view(&texts);
        let rendered = render(None, &view);
        prop_assert_eq!(&rendered.problem, &None, "{}", rendered.body);
        prop_assert!(rendered.body.chars().count() <= LONGEST_BODY);
        let strangers: Vec<_> = rendered_text::live(&unfolded(&rendered.body))
            .into_iter()
            .filter(|thing| !matches!(thing, rendered_text::Live::Link(link) if link.starts_with("http")))
            .filter(|thing| !matches!(thing, rendered_text::Live::Item(item) if ["#11", "#41", "#42"].contains(&item.as_str())))
            .collect();
        prop_assert!(strangers.is_empty(), "{:?} in\n{}", strangers, rendered.body);
        let words = Feedback { key: String::new(), title: texts[0].clone(), text: texts.concat(), url: None, labels: BTreeMap::new() };
        harmless(&feedback(&words, "voices").body);
        let line = StormLine { title: texts[0].clone(), state: texts.concat(), severity: texts.last().cloned(), started_at: view.started_at, item: None };
        harmless(&unfolded(&storm(&stormy(vec![line.clone(), line], &texts)).body));
    }
}

#[test]
fn the_longest_issue_is_short_enough() {
    for unit in ["\"", "@a", "&", "#1", "x", "`", "\u{1f600}", "\u{200b}", "a\n"] {
        let long = unit.repeat(8_000);
        let labels: BTreeMap<String, String> = (0..50).map(|n| (format!("{n}{long}"), long.clone())).collect();
        let mut view = view(std::slice::from_ref(&long));
        view.labels.clone_from(&labels);
        let alert = Alert { labels: labels.clone(), annotations: labels, ..view.alerts[0].clone() };
        view.alerts = vec![alert; 20];
        view.suspects = vec![Suspect { items: (0..5000).collect(), ..view.suspects[0].clone() }; 100];
        let rendered = render(None, &view);
        assert_eq!(rendered.problem, None);
        assert!(rendered.body.chars().count() <= LONGEST_BODY, "{unit:?}: {}", rendered.body.chars().count());
        assert!(rendered.title.chars().count() <= 256);
        let line = StormLine {
            title: long.clone(),
            state: long.clone(),
            severity: Some(long.clone()),
            started_at: view.started_at,
            item: Some(7),
        };
        let storm = storm(&stormy(vec![line; 250], std::slice::from_ref(&long)));
        assert!(storm.body.chars().count() <= LONGEST_BODY && storm.title.chars().count() <= 256);
    }
}

/// Harmless text is shown unchanged.
#[test]
fn harmless_words_stay_as_they_are() {
    assert_eq!(
        sanitize::inline("5xx above 5% on api-1, since 09:00 (UTC)", 200),
        "5xx above 5% on api-1, since 09:00 (UTC)"
    );
    assert_eq!(sanitize::title("[prod] *Checkout* is down & out", 200), "[prod] *Checkout* is down & out");
    assert_eq!(sanitize::inline("&lt;b&gt; &amp; *x*", 200), "&lt;b&gt; &amp; \\*x\\*");
    assert_eq!(sanitize::inline(&"ab ".repeat(10), 7), "ab ab a…");
    assert_eq!(sanitize::title("@sre see #12", 200), "@\u{200b}sre see #\u{200b}12");
}

/// A forge treats a link to one of its items or commits as a mention.
#[test]
fn links_to_items_are_none() {
    for path in ["issues/1", "pull/1", "commit/0a1b2c3d", "%69ssues/1"] {
        assert_eq!(sanitize::link(&format!("https://github.com/acme/shop/{path}")), None, "{path}");
    }
    assert!(sanitize::link("https://github.com/acme/shop/actions").is_some());
}

/// A link that is too long is not shown as a link; the limit is exact to the byte.
#[test]
fn links_have_a_length() {
    let address = |length: usize| format!("https://example.com/{}", "a".repeat(length - 20));
    assert_eq!(sanitize::link(&address(600)), Some(address(600)));
    assert_eq!(sanitize::link(&address(601)), None);
    // Percent-encoding makes it longer.
    assert_eq!(sanitize::link(&format!("https://example.com/{}", "ä".repeat(200))), None);
}
