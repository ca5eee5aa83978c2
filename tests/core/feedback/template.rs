//! Operators' templates: what they may print, and when the built-in template replaces them.

use phasebot_core::incident::render::{Rendered, problem, render};
use proptest::prelude::*;

use super::{hostile::hostile, look::full};

fn with(template: &str) -> Rendered {
    render(Some(template), &full())
}

#[test]
fn a_template_prints_a_title_and_a_body() {
    let rendered = with(
        "[{{ severity }}] {{ title }}\n\ncc @acme/oncall, see #7 and <b>{{ environment }}</b>.\n\n\
         {{ text|quote }}\n{{ url|link('Alertmanager') }} {{ previous|item }} {{ started_at|time }} {{ labels.alertname|code }}\n",
    );
    assert_eq!(rendered.problem, None);
    assert_eq!(rendered.title, "[critical] HighErrorRate: 5xx above 5% on api");
    insta::assert_snapshot!(rendered.body, @r"
    cc @acme/oncall, see #7 and <b>production</b>.

    > Many users can't pay.  
    > The shop is slow.  

    [Alertmanager](<https://alerts.example.com/#/alerts?receiver=phasebot>) #11 16:58 `HighErrorRate`
    ");
}

#[test]
fn what_fails_gives_way_to_the_built_in_one() {
    let built_in = render(None, &full());
    let long = "x".repeat(61_000);
    for (template, why) in [
        ("{{ title", "syntax error"),
        ("{{ title }}\n{{ nothing.here }}", "undefined"),
        ("{{ title }}\n{{ labels.nothing }}", "undefined"),
        ("{{ title }}\n{% include 'other' %}", ""),
        ("{{ title }}\n{{ title|safe }}", "unknown filter"),
        ("{{ title }}\n{{ range(10) }}", "unknown function"),
        (
            "{{ title }}\n{% for a in labels %}{% for b in labels %}{% for c in labels %}{% for d in labels %}{% for e in labels %}{% for f in labels %}{% for g in labels %}{% for h in labels %}{% for i in labels %}{% for j in labels %}{% for k in labels %}x{% endfor %}{% endfor %}{% endfor %}{% endfor %}{% endfor %}{% endfor %}{% endfor %}{% endfor %}{% endfor %}{% endfor %}{% endfor %}",
            "fuel",
        ),
        (&format!("{{{{ title }}}}\n{long}"), "more than 60000 characters"),
        (
            &format!(
                "{{{{ title }}}}\n{{% for a in labels %}}{{% for b in labels %}}{{% for c in labels %}}{{% for d in labels %}}{long}{{% endfor %}}{{% endfor %}}{{% endfor %}}{{% endfor %}}"
            ),
            "too long",
        ),
    ] {
        let rendered = with(template);
        assert!(rendered.problem.as_ref().is_some_and(|p| p.contains(why)), "{why}: {:?}", rendered.problem);
        assert_eq!((&rendered.title, &rendered.body), (&built_in.title, &built_in.body));
    }
}

#[test]
fn a_template_that_would_let_words_out_gives_way() {
    let mut view = full();
    view.text = Some("</pre><img src=x>".to_owned());
    view.title = "x --> <script>".to_owned();
    // Inside HTML, Markdown does not recognise code.
    let rendered = render(Some("t\n<pre>\n{{ text|fence }}\n</pre>"), &view);
    assert!(rendered.problem.as_ref().is_some_and(|p| p.contains("live")), "{:?}", rendered.problem);
    // A value in a tag would create another tag.
    let rendered = render(Some("t\n<a title='{{ title }}'>x</a>"), &view);
    assert!(rendered.problem.is_some());
}

#[test]
fn the_form_is_checked_at_the_start() {
    assert_eq!(problem("{{ title }}\n{% if text %}{{ text }}{% endif %}"), None);
    let wrong = problem("{{ title }}\n\n{% if text %}").unwrap();
    assert!(wrong.contains("line"), "{wrong}");
}

proptest! {
    /// However a template prints an alert's text, nothing of it is active.
    #[test]
    fn no_way_of_printing_lets_words_out(
        text in hostile(),
        way in prop::sample::select(vec![
            "{{ text }}", "{{ text|code }}", "{{ text|quote }}", "{{ text|fence }}", "{{ text|short(20) }}",
            "{% set x %}{{ text }}{% endset %}{{ x }}", "{{ 'a' ~ text ~ 'b' }}", "{{ [text]|first }}",
            "{{ text|default('') }}", "{{ text[:4] ~ text[4:] }}", "{{ [text, text] }}", "{{ {'a': text} }}",
            "{% autoescape false %}{{ text }}{% endautoescape %}", "{{ text|link('x') }}{{ text|link }}",
            "{{ text|time }}", "{{ (text|code) ~ text }}", "{{ labels }}",
        ]),
        place in prop::sample::select(vec!["", "a ", "# ", "> ", "- ", "| a |\n| - |\n| ", "**b** ", "```\nx\n```\n", "    "]),
    ) {
        let mut view = full();
        view.text = Some(text.clone());
        view.labels = [(text.clone(), text)].into();
        let rendered = render(Some(&format!("t\n{place}{way}\n")), &view);
        let strangers: Vec<_> = phasebot_core::incident::rendered_text::live(&rendered.body)
            .into_iter()
            .filter(|thing| !matches!(thing, phasebot_core::incident::rendered_text::Live::Link(link) if link.starts_with("http")))
            .filter(|thing| rendered.problem.is_none() || !matches!(thing, phasebot_core::incident::rendered_text::Live::Item(_)))
            .collect();
        prop_assert!(strangers.is_empty(), "{:?} in\n{}", strangers, rendered.body);
        prop_assert_eq!(rendered.problem, None);
    }
}
