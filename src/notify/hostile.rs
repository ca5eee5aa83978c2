//! Whatever the texts of a notice are, a target reads nothing into them.

use jiff::Timestamp;
use proptest::prelude::*;
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};
use serde_json::Value;

use crate::{
    domain::notice::{Notice, NoticeKind, NoticeLink},
    notify::{
        discord, matrix, mattermost, slack, teams,
        text::{self, NOTHING, Text},
    },
    port::notify::Content,
};

const URL: &str = "https://github.com/acme/shop/issues/1?a=b&c=d";

fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("<!channel>".to_owned()),
        Just("<@U123|x>".to_owned()),
        Just("<https://evil.example|good>".to_owned()),
        Just("@everyone @here @all".to_owned()),
        Just("<@&1> <#2> <:a:3> <t:4>".to_owned()),
        Just("[x](https://evil.example)".to_owned()),
        Just("![x](http://evil.example/a.png)".to_owned()),
        Just("https://evil.example www.evil.example".to_owned()),
        Just("**b** __u__ ~~s~~ ||p|| `c` ```d``` > q".to_owned()),
        Just("# h\n- l\n1. n\n---\n| a | b |\n|---|---|".to_owned()),
        Just("&lt;!channel&gt; &#60;script&#62;".to_owned()),
        Just("<script>x</script><a href=\"javascript:x\">".to_owned()),
        Just("~town-square #tag :smile: mailto:a@b.example".to_owned()),
        Just("\\ \\\\[a](b) \\<b>".to_owned()),
        "\\PC{0,12}",
        "[ -~]{0,12}",
    ];
    proptest::collection::vec(piece, 0..6).prop_map(|pieces| pieces.join(" "))
}

fn notice(headline: &str, line: &str) -> Notice {
    Notice {
        thread: "incident/1".to_owned(),
        kind: NoticeKind::IncidentOpened,
        is_news: true,
        repository: "acme/shop".to_owned(),
        environment: None,
        headline: headline.to_owned(),
        lines: vec![line.to_owned()],
        links: vec![NoticeLink { words: "#1".to_owned(), url: URL.to_owned() }],
        needs_person: false,
        at: Timestamp::UNIX_EPOCH,
    }
}

/// Returns every text of a value, with the name of its key.
fn texts(value: &Value) -> Vec<(String, String)> {
    fn walk(key: &str, value: &Value, found: &mut Vec<(String, String)>) {
        match value {
            Value::String(text) => found.push((key.to_owned(), text.clone())),
            Value::Array(list) => list.iter().for_each(|one| walk(key, one, found)),
            Value::Object(map) => map.iter().for_each(|(key, one)| walk(key, one, found)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
    let mut found = Vec::new();
    walk("", value, &mut found);
    found
}

/// Reads Markdown as chats do: returns its plain text, and the addresses of its links. Anything but
/// text, strong text, paragraphs, breaks and links is an error.
fn read(markdown: &str) -> Result<(String, Vec<String>), String> {
    let options = Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TABLES | Options::ENABLE_TASKLISTS;
    let (mut plain, mut links) = (String::new(), Vec::new());
    for event in Parser::new_ext(markdown, options) {
        match event {
            Event::Text(text) => plain.push_str(&text),
            Event::SoftBreak | Event::HardBreak | Event::End(TagEnd::Paragraph) => plain.push('\n'),
            Event::Start(Tag::Link { dest_url, .. }) => links.push(dest_url.to_string()),
            Event::Start(Tag::Paragraph | Tag::Strong) | Event::End(TagEnd::Strong | TagEnd::Link) => {}
            other => return Err(format!("{other:?} in {markdown:?}")),
        }
    }
    Ok((plain, links))
}

/// Returns what would be a mention, a hashtag, an emoji or an address if it is plain text.
fn live(plain: &str) -> Option<String> {
    let letters: Vec<char> = plain.chars().collect();
    let starts = |at: usize| letters.get(at + 1).is_some_and(|next| next.is_alphanumeric() || *next == '/');
    let marks = ['@', '#', '~', ':'];
    let found = (0..letters.len()).find(|at| marks.contains(&letters[*at]) && starts(*at));
    found.map(|at| letters[at..].iter().take(20).collect())
}

/// Checks Markdown of ours: one link, nothing live, and the text as it was.
fn check_markdown(markdown: &str, expected: &[&str], link: bool) {
    let (plain, links) = read(markdown).unwrap();
    let expected_links: &[&str] = if link { &[URL] } else { &[] };
    assert_eq!(links, expected_links, "{markdown:?}");
    assert_eq!(live(&plain), None, "{markdown:?}");
    let words = |text: &str| -> String { text.chars().filter(|c| !c.is_whitespace() && *c != NOTHING).collect() };
    for text in expected {
        assert!(words(&plain).contains(&words(text)), "{text:?} in {plain:?}");
    }
}

fn shown(headline: &str, line: &str) -> (Notice, Text) {
    // As the core writes them: in one line each.
    let one = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let notice = notice(&one(headline), &one(line));
    let text = text::of(&Content::Notice(&notice));
    (notice, text)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn slack_reads_no_command_link_or_mention(headline in hostile(), line in hostile()) {
        let (_, text) = shown(&headline, &line);
        let payload = Value::Object(slack::payload(&text));
        let ours = format!("<{}|#1>", URL.replace('&', "&amp;"));
        let mut links = 0;
        for (key, said) in texts(&payload) {
            let rest = said.replace(&ours, "");
            links += said.matches(&ours).count();
            prop_assert!(!rest.contains(['<', '>']), "{key}: {said}");
            if key == "text" && said.contains(&ours) {
                prop_assert!(rest.is_empty(), "{said}");
            }
        }
        prop_assert_eq!(links, 1);
        // Where Slack would decode references, there are none but that of the ampersand.
        let fallback = payload["text"].as_str().unwrap();
        prop_assert!(!fallback.replace("&amp;", "").contains('&'));
    }

    #[test]
    fn discord_reads_no_mention_and_no_markdown(headline in hostile(), line in hostile()) {
        let (_, text) = shown(&headline, &line);
        let body = discord::body(&text);
        let content = body["content"].as_str().unwrap();
        prop_assert!(content.chars().count() <= 2000 || text.title.chars().count() > 600);
        check_markdown(content, &[&text.title], true);
        prop_assert_eq!(&body["allowed_mentions"], &serde_json::json!({ "parse": [] }));
    }

    #[test]
    fn mattermost_reads_no_mention_and_no_markdown(headline in hostile(), line in hostile()) {
        let (_, text) = shown(&headline, &line);
        let body = mattermost::body(&text);
        check_markdown(body["text"].as_str().unwrap(), &[&text.title, &text.lines[0]], true);
    }

    #[test]
    fn teams_reads_no_link_and_no_mention(headline in hostile(), line in hostile()) {
        let (_, text) = shown(&headline, &line);
        let body = teams::body(&text);
        let card = &body["attachments"][0]["content"];
        prop_assert!(card.get("msteams").is_none());
        let expected = [&text.title, &text.lines[0]];
        for (block, expected) in card["body"].as_array().unwrap().iter().zip(expected) {
            check_markdown(block["text"].as_str().unwrap(), &[expected], false);
        }
        prop_assert!(body.to_string().len() < 28_000);
    }

    #[test]
    fn matrix_shows_no_tag_but_ours(headline in hostile(), line in hostile()) {
        let (_, text) = shown(&headline, &line);
        let content = matrix::content(&text);
        let html = content["formatted_body"].as_str().unwrap();
        let ours = ["<strong>", "</strong>", "<br/>", "</a>"];
        let link = format!("<a href=\"{}\">", URL.replace('&', "&amp;"));
        let mut rest = html.replacen(&link, "", 1);
        for tag in ours {
            rest = rest.replace(tag, "");
        }
        prop_assert!(!rest.contains(['<', '>', '"']), "{html}");
        let back = rest.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&#39;", "'").replace("&amp;", "&");
        prop_assert!(back.starts_with(&text.title), "{back}");
        prop_assert_eq!(&content["m.mentions"], &serde_json::json!({}));
    }
}

/// The longest texts that the core makes stay within what a target takes.
#[test]
fn the_longest_notice_fits_everywhere() {
    let long = "<@*".repeat(100);
    let mut notice = notice(&long, &long);
    notice.lines = vec![long; 9];
    let text = text::of(&Content::Notice(&notice));
    for (_, said) in texts(&Value::Object(slack::payload(&text))) {
        assert!(said.chars().count() <= 3000);
    }
    assert!(discord::body(&text)["content"].as_str().unwrap().chars().count() <= 2000);
    assert!(teams::body(&text).to_string().len() < 28_000);
    assert!(matrix::content(&text).to_string().len() < 60_000);
    let all: Vec<&Notice> = std::iter::repeat_n(&notice, 100).collect();
    let text = text::of(&Content::Digest(&all));
    for (_, said) in texts(&Value::Object(slack::payload(&text))) {
        assert!(said.chars().count() <= 3000);
    }
    assert!(discord::body(&text)["content"].as_str().unwrap().chars().count() <= 2000);
    assert!(teams::body(&text).to_string().len() < 28_000);
}
