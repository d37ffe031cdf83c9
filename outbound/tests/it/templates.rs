//! What templates may and may not do.

use outbound::template::{self, MAX_OUTPUT_BYTES, MAX_TEMPLATE_BYTES, TemplateError};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

fn data() -> Map<String, Value> {
    let value = json!({
        "Token": "123456",
        "Evil": "<script>alert(1)</script>",
        "Data": { "name": "Zoë", "count": 3, "million": 1_000_000, "list": [1, "two", null], "nested": { "x": "y" } },
    });
    value.as_object().unwrap().clone()
}

fn render(text: &str) -> String {
    template::render(text, &data()).unwrap()
}

fn limit(text: &str) -> &'static str {
    match template::render(text, &data()) {
        Err(TemplateError::Limit(what)) => what,
        other => panic!("{:.200}: {other:?}", text),
    }
}

#[test]
fn data_never_makes_rendering_fail() {
    for (text, expected) in [
        ("[{{ .Data.missing.deeper.still }}]", "[]"),
        ("[{{ .Missing.x }}{{ .Token.x }}{{ .Data.list.x }}]", "[]"),
        (r#"[{{ index .Data.list 9 }}{{ index .Data "a" "b" }}{{ index .Missing 1 }}{{ index .Data.list -1 }}]"#, "[]"),
        ("[{{ slice .Token 4 99 }}{{ slice .Token 9 2 }}{{ slice .Missing 1 }}]", "[56]"),
        ("{{ slice .Data.name 0 3 }}", "Zo"),
        ("{{ len .Missing }}", "0"),
        (
            r#"{{ eq .Data.count "3" }} {{ lt .Token 3 }} {{ eq .Data.list .Data.list }} {{ eq .Data.count 3.0 }}"#,
            "false false false true",
        ),
        ("{{ range .Token }}x{{ else }}none{{ end }}", "none"),
        ("{{ .Data.million }} {{ printf \"%d|%s\" .Data.count .Data.count }}", "1000000 3|3"),
        ("{{ printf \"%d %s %!\" \"x\" }}", "%!d(x) %!s(MISSING) %!!(MISSING)"),
        ("[{{ print .Missing }}{{ printf \"%s\" .Missing }}{{ .Missing | html }}]", "[]"),
    ] {
        assert_eq!(render(text), expected, "{text}");
    }
}

#[test]
fn values_cannot_leave_their_place() {
    for (text, expected) in [
        ("<p title={{ .Evil }}>", "<p title=&lt;script&gt;alert(1)&lt;/script&gt;>"),
        ("<a {{ .Evil }}=1>", "<a ZgotmplZ=1>"),
        (
            "<a on{{ .Token }}='{{ .Evil }}'>",
            "<a on123456='&#34;\\u003cscript\\u003ealert(1)\\u003c/script\\u003e&#34;'>",
        ),
        // Go decides by the name alone, which here begins with a slash.
        ("<a/href='{{ `javascript:x` }}'>", "<a/href='#ZgotmplZ'>"),
        ("<iframe srcdoc='{{ .Evil }}'>", "<iframe srcdoc='&amp;lt;script&amp;gt;alert(1)&amp;lt;/script&amp;gt;'>"),
        // What follows could be a division or a regular expression.
        ("<script>x = a / {{ .Evil }}</script>", "<script>x = a / ZgotmplZ</script>"),
        ("<script>x = `${ {{ .Evil }} }`</script>", "<script>x = `${ ZgotmplZ }`</script>"),
        ("<script>x = '\\{{ .Evil }}'</script>", "<script>x = '\\ZgotmplZ'</script>"),
        ("<p style='a: \"\\{{ .Evil }}\"'>", "<p style='a: \"\\ZgotmplZ\"'>"),
        // Branches may leave off in different places.
        ("<a {{ if .Token }}href='{{ else }}title='{{ end }}{{ `javascript:x` }}'>", "<a href='#ZgotmplZ'>"),
    ] {
        assert_eq!(render(text), expected, "{text}");
    }
}

#[test]
fn mistakes_are_found_without_rendering() {
    for (text, line, message) in [
        ("{{ .X", 1, "unclosed action"),
        ("\n{{ }}", 2, "missing value"),
        ("a\n\n{{ if .X }}b", 3, "unexpected end of the template"),
        ("{{ end }}", 1, "unexpected {{end}}"),
        ("{{ if .X }}{{ else }}{{ else }}{{ end }}", 1, "unexpected {{else}}"),
        ("{{ with .X }}{{ else if .Y }}{{ end }}", 1, "unexpected {{else}}"),
        ("{{ break }}", 1, "{{break}} outside {{range}}"),
        ("{{ .Data.x | default \"y\" }}", 1, "function \"default\" is not defined"),
        ("{{ $x }}", 1, "undefined variable $x"),
        ("{{ if true }}{{ $x := 1 }}{{ end }}{{ $x }}", 1, "undefined variable $x"),
        ("{{ .first-name }}", 1, "unexpected '-' after \"first\""),
        ("{{ \"abc }}", 1, "unterminated quoted string"),
        ("{{/* c }}", 1, "unclosed comment"),
        ("{{/* c */ .X }}", 1, "comment ends before closing delimiter"),
        ("{{ template \"x\" }}", 1, "template \"x\" is not defined"),
        ("{{ if true }}{{ define \"x\" }}{{ end }}{{ end }}", 1, "unexpected {{define}}"),
        ("{{ eq 1 }}", 1, "wrong number of arguments of a function"),
        ("{{ .X 1 }}", 1, "only a function takes arguments"),
        ("{{ len(.X) }}", 1, "expected a blank between operands"),
        ("{{ (.X }}", 1, "expected a closing parenthesis"),
        ("{{ 1x }}", 1, "bad number \"1x\""),
    ] {
        let expected = TemplateError::Syntax { line, message: message.to_owned() };
        assert_eq!(template::check(text), Err(expected), "{text}");
    }
    for text in ["", "{{", "}}", "no actions", "{ { .X } }", "{{.X}}}"] {
        assert_eq!(template::check(text).is_ok(), text != "{{", "{text}");
    }
}

#[test]
fn size_depth_and_work_are_bounded() {
    let big = "x".repeat(MAX_TEMPLATE_BYTES + 1);
    assert_eq!(limit(&big), "the template is larger than 1000000 bytes");

    let deep = "the template nests too deep";
    assert_eq!(limit(&format!("{{{{ {}1{} }}}}", "(".repeat(100_000), ")".repeat(100_000))), deep);
    assert_eq!(limit(&"{{ if 1 }}".repeat(50_000)), deep);
    assert_eq!(limit(&"{{ with 1 }}{{ range 1 }}".repeat(50)), deep);

    assert_eq!(limit(&"{{ $x := 1 }}".repeat(5000)), "the template has too many variables");

    let recursive = "the template calls itself too deep";
    assert_eq!(limit(r#"{{ define "a" }}{{ template "a" }}{{ end }}{{ template "a" }}"#), recursive);
    assert_eq!(limit(r#"{{ block "a" . }}{{ template "a" . }}{{ end }}"#), recursive);

    let long = "rendering the template takes too long";
    assert_eq!(limit("{{ range 1000 }}{{ range 1000 }}{{ end }}{{ end }}"), long);
    assert_eq!(limit("{{ range 9999999999999999999 }}{{ end }}{{ range 999999999 }}{{ end }}"), long);
    let bush =
        r#"{{ define "a" }}{{ if . }}{{ template "a" (slice . 1) }}{{ template "a" (slice . 1) }}{{ end }}{{ end }}"#;
    assert_eq!(limit(&format!("{bush}{{{{ template \"a\" \"{}\" }}}}", "x".repeat(30))), long);

    let large = "the rendered template is larger than 2000000 bytes";
    assert_eq!(limit(&format!("{{{{ range 100 }}}}{}{{{{ end }}}}", "x".repeat(50_000))), large);
    let doubling = "{{ $x = printf \"%s%s\" $x $x }}".repeat(30);
    assert_eq!(limit(&format!("{{{{ $x := \"0123456789\" }}}}{doubling}")), long);
    let mut data = data();
    data.insert("Big".to_owned(), Value::from("x".repeat(900_000)));
    let tripled = template::render("{{ $x := printf \"%s%s%s\" .Big .Big .Big }}", &data);
    assert_eq!(tripled, Err(TemplateError::Limit("a value of the template is larger than 2000000 bytes")));

    let wide = "{{ printf \"%999999999d\" 1 }}";
    assert_eq!(render(wide).len(), 1000);
}

#[test]
fn the_deepest_template_needs_little_stack() {
    let parentheses = format!("{}.Token{}", "(".repeat(30), ")".repeat(30));
    let inner = format!("{{{{ with 1 }}}}{{{{ template \"a\" {parentheses} }}}}{{{{ end }}}}");
    let nested = format!("{}{inner}{}", "{{ range 1 }}".repeat(5), "{{ end }}".repeat(5));
    let text = format!("{{{{ define \"a\" }}}}{nested}{{{{ end }}}}{{{{ template \"a\" . }}}}");
    let small = std::thread::Builder::new().stack_size(512 * 1024);
    let rendering = small.spawn(move || template::render(&text, &data())).unwrap();
    assert_eq!(rendering.join().unwrap(), Err(TemplateError::Limit("the template calls itself too deep")));
}

#[test]
fn hostile_text_takes_no_more_than_its_share_of_time() {
    for piece in [
        "<",
        "<a ",
        "<a href='",
        "<!--",
        "</",
        "<style>(",
        "<p style='a(",
        "<script>/",
        "&",
        "{{/**/}}",
        "{{ .Token }}'",
    ] {
        let text = piece.repeat(400_000 / piece.len());
        let html = template::render(&text, &data()).unwrap();
        let _ = outbound::plain::from_html(&html);
        let _ = outbound::plain::from_html(&text);
    }
}

#[test]
fn a_long_chain_of_branches_is_no_depth() {
    let chain = "{{ else if eq .Token \"x\" }}b".repeat(10_000);
    assert_eq!(render(&format!("{{{{ if false }}}}a{chain}{{{{ else }}}}c{{{{ end }}}}")), "c");
}

#[test]
fn a_large_template_renders() {
    let row = "<tr><td style=\"color: {{ .Data.name }}\">{{ .Token }}</td></tr>\n";
    let text = row.repeat(5000);
    assert_eq!(render(&text).matches("123456").count(), 5000);
}

/// Pieces that templates are made of, whole and broken.
fn piece() -> impl Strategy<Value = String> {
    let pieces = [
        "{{",
        "}}",
        "{{-",
        "-}}",
        " - ",
        "{{ ",
        " }}",
        ".",
        ".Data",
        ".Data.list",
        ".Token",
        ".Evil",
        "$",
        "$x",
        ":=",
        "=",
        "|",
        ",",
        "(",
        ")",
        "\"",
        "`",
        "'",
        "\\",
        "1",
        "-1",
        "0x",
        "1e9",
        "nil",
        "true",
        "if ",
        "else ",
        "end",
        "range ",
        "with ",
        "define \"a\"",
        "template \"a\"",
        "block \"a\" .",
        "break",
        "continue",
        "and ",
        "or ",
        "not ",
        "eq ",
        "index ",
        "slice ",
        "printf ",
        "\"%5.3d%q%x\"",
        "html",
        "urlquery",
        "js",
        "len ",
        "/*",
        "*/",
        "<",
        ">",
        "</",
        "<!--",
        "-->",
        "<a href=\"",
        "<p style='",
        "<script>",
        "</script>",
        "<style>",
        "</style>",
        "<img src=",
        "url(",
        "&amp;",
        "é",
        "\u{2028}",
        "\n",
        " ",
    ];
    prop_oneof![
        4 => proptest::sample::select(pieces.to_vec()).prop_map(str::to_owned),
        2 => proptest::sample::select(vec!["{{ .Token }}", "{{ .Evil }}", "{{ if .Data.x }}", "{{ range .Data.list }}", "{{ else }}", "{{ end }}"])
            .prop_map(str::to_owned),
        1 => any::<char>().prop_map(String::from),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_panics(pieces in prop::collection::vec(piece(), 0..40)) {
        let text = pieces.concat();
        let checked = template::check(&text);
        match template::render(&text, &data()) {
            Ok(html) => {
                prop_assert!(checked.is_ok());
                prop_assert!(html.len() <= MAX_OUTPUT_BYTES);
                let _ = outbound::plain::from_html(&html);
            }
            Err(TemplateError::Syntax { .. }) => prop_assert!(checked.is_err()),
            Err(TemplateError::Limit(_)) => {}
        }
    }

    #[test]
    fn a_value_in_text_or_quotes_adds_no_markup(value in "(javascript:|https:|[a-z]+:)?.*") {
        let mut data = Map::new();
        data.insert("V".to_owned(), Value::from(value));
        let html = template::render("<p title=\"{{ .V }}\">{{ .V }}</p>", &data).unwrap();
        prop_assert_eq!(html.matches('<').count(), 2);
        prop_assert_eq!(html.matches('"').count(), 2);
        let link = template::render("<a href='{{ .V }}'></a>", &data).unwrap();
        prop_assert_eq!(link.matches('\'').count(), 2);
        let address = link.split('\'').nth(1).unwrap();
        if let Some((scheme, _)) = address.split_once(':').filter(|(scheme, _)| !scheme.contains('/')) {
            prop_assert!(["http", "https", "mailto"].contains(&scheme.to_lowercase().as_str()), "{}", link);
        }
    }
}
