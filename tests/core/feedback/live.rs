//! The detector finds exactly the text that a forge would act on.

use phasebot_core::incident::rendered_text::{Live, live};

fn found(markdown: &str) -> Vec<Live> {
    live(markdown).into_iter().collect()
}

#[test]
fn everything_that_is_live_is_found() {
    let one = |markdown: &str, thing: Live| assert_eq!(found(markdown), [thing], "{markdown:?}");
    one("ask @bob", Live::Mention("@bob".into()));
    one("ask (@acme/sre-leads)!", Live::Mention("@acme/sre-leads".into()));
    one("ask **@_bob**", Live::Mention("@_bob".into()));
    one("see #12", Live::Item("#12".into()));
    one("see acme/shop#12.", Live::Item("#12".into()));
    one("see Gh-7", Live::Item("Gh-7".into()));
    one("since 0a1b2c3", Live::Commit("0a1b2c3".into()));
    one(&format!("since {}.", "a".repeat(64)), Live::Commit("a".repeat(64)));
    one("so\n/deploy production", Live::Command("/deploy production".into()));
    one("# /lock all", Live::Command("/lock all".into()));
    one("[x](https://example.com)", Live::Link("https://example.com".into()));
    one("![x](//example.com/y.png)", Live::Link("//example.com/y.png".into()));
    one("see http://example.com", Live::Address("http://example.com".into()));
    one("see WWW.example.com", Live::Address("WWW.example.com".into()));
    one("x <!-- y -->", Live::Html("<!-- y -->".into()));
    assert_eq!(found("a <b>@bob</b>").len(), 3, "two tags, and who is between them");
    assert_eq!(found("| @a | b |\n| --- | --- |\n| #1 | /x |\n").len(), 3, "a cell begins a line");
    assert_eq!(found("@a and @b, #1 and #2").len(), 4);
}

#[test]
fn what_is_no_forges_business_is_not() {
    for markdown in [
        "a@ b",
        "@ bob",
        "@-bob",
        "# 12",
        "#a",
        "gh-",
        "gh7",
        "0a1b2c",
        "0a1b2cg",
        "a /deploy",
        "/ x",
        "/12",
        "`@bob #12`",
        "```\n@bob\n#12\n/deploy x\nhttp://example.com\n```\n",
        "    @bob",
        "`@`bob",
        "http",
        "1.2.3",
    ] {
        assert_eq!(found(markdown), [], "{markdown:?}");
    }
    assert_eq!(found(&"a".repeat(65)), [], "too long for a commit");
}
