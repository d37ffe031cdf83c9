//! Templates rendered by Go itself: `go/rendered.json` holds what `html/template` of Go 1.26 makes of each template
//! with `go/data.json` as its data. `go/render.go` renders them again.

use outbound::template;
use serde::Deserialize;

#[derive(Deserialize)]
struct Case {
    template: String,
    rendered: String,
}

#[test]
fn every_template_renders_as_in_go() {
    let data = serde_json::from_str(include_str!("go/data.json")).unwrap();
    let cases: Vec<Case> = serde_json::from_str(include_str!("go/rendered.json")).unwrap();
    let mut wrong = String::new();
    for Case { template, rendered } in &cases {
        match template::render(template, &data) {
            Ok(ours) if ours == *rendered => {}
            ours => wrong += &format!("template {template:?}\n      Go {rendered:?}\n    ours {ours:?}\n\n"),
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}
