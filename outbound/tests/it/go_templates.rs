//! Templates rendered by Go itself: `go/rendered.json` holds what `html/template` of Go 1.26 makes of each template
//! with `go/data.json` as its data, `go/text.json` what `text/template` makes of it with a code. `go/render.go` renders
//! them again.

use outbound::template::{self, TemplateError};
use serde::Deserialize;
use serde_json::{Map, Value, json};

#[derive(Deserialize)]
struct Case {
    template: String,
    rendered: String,
}

fn compare(cases: &str, data: &Value, render: fn(&str, &Map<String, Value>) -> Result<String, TemplateError>) {
    let cases: Vec<Case> = serde_json::from_str(cases).unwrap();
    let mut wrong = String::new();
    for Case { template, rendered } in &cases {
        match render(template, data.as_object().unwrap()) {
            Ok(ours) if ours == *rendered => {}
            ours => wrong += &format!("template {template:?}\n      Go {rendered:?}\n    ours {ours:?}\n\n"),
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn every_template_renders_as_in_go() {
    let data = serde_json::from_str(include_str!("go/data.json")).unwrap();
    compare(include_str!("go/rendered.json"), &data, template::render);
}

#[test]
fn every_text_template_renders_as_in_go() {
    compare(include_str!("go/text.json"), &json!({ "Code": "12<3 4>'5\"6&+" }), template::render_text);
}
