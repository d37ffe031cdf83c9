//! Messages on the wire, read back by another library.

use domain::time::Timestamp;
use mail_parser::MessageParser;
use outbound::mails::Rendered;
use outbound::{Address, Message};
use uuid::Uuid;

pub(crate) fn message() -> Message {
    let rendered = Rendered {
        subject: "Grüße & more".to_owned(),
        html: "<p>Größe: <b>1</b></p>\n<p>.</p>\n.\n".to_owned(),
        text: "Größe: 1".to_owned(),
    };
    let from = Address::new("Acme, Inc. <ops>", "auth@acme.test");
    Message::new(
        Uuid::from_u128(7),
        Timestamp::from_unix(1_700_000_000),
        from,
        Address::bare("ada@example.test"),
        rendered,
    )
}

fn wire(message: &Message) -> String {
    String::from_utf8(message.to_bytes().unwrap()).unwrap()
}

fn header_names(wire: &str) -> Vec<String> {
    let head = wire.split("\r\n\r\n").next().unwrap();
    let lines = head.split("\r\n").filter(|line| !line.starts_with([' ', '\t']));
    lines.map(|line| line.split(':').next().unwrap().to_owned()).collect()
}

#[test]
fn text_stands_beside_html() {
    let mut message = message();
    message.reply_to = Some(Address::bare("help@acme.test"));
    message.headers.push(("X-Kind".to_owned(), "confirmation".to_owned()));
    let wire = wire(&message);
    let parsed = MessageParser::default().parse(wire.as_bytes()).unwrap();

    assert_eq!(parsed.subject(), Some("Grüße & more"));
    assert_eq!(parsed.message_id(), Some("00000000-0000-0000-0000-000000000007@acme.test"));
    assert_eq!(parsed.date().unwrap().to_timestamp(), 1_700_000_000);
    let from = parsed.from().unwrap().first().unwrap();
    assert_eq!((from.name(), from.address()), (Some("Acme, Inc. <ops>"), Some("auth@acme.test")));
    assert_eq!(parsed.to().unwrap().first().unwrap().address(), Some("ada@example.test"));
    assert_eq!(parsed.reply_to().unwrap().first().unwrap().address(), Some("help@acme.test"));
    assert_eq!(parsed.header_raw("Auto-Submitted").map(str::trim), Some("auto-generated"));
    assert_eq!(parsed.header_raw("X-Kind").map(str::trim), Some("confirmation"));

    assert!(wire.contains("Content-Type: multipart/alternative;"), "{wire}");
    assert_eq!((parsed.text_body_count(), parsed.html_body_count(), parsed.attachment_count()), (1, 1, 0));
    assert_eq!(parsed.body_text(0).unwrap(), "Größe: 1");
    assert_eq!(parsed.body_html(0).unwrap().replace("\r\n", "\n"), message.html);
    assert!(wire.find("text/plain").unwrap() < wire.find("text/html").unwrap());
    assert!(wire.is_ascii() && wire.lines().all(|line| line.len() <= 998));
}

#[test]
fn the_same_message_is_the_same_bytes() {
    assert_eq!(message().to_bytes().unwrap(), message().to_bytes().unwrap());
}

#[test]
fn no_field_adds_a_header() {
    let plain = header_names(&wire(&message()));
    for evil in [
        "a\r\nBcc: x@y.test",
        "a\nBcc: x@y.test",
        "a\rBcc: x@y.test",
        "a\r\n\r\nbody",
        "a\u{85}\u{2028}b\u{0}c",
        "\r\n",
    ] {
        let mut message = message();
        message.subject = evil.to_owned();
        message.from.name = evil.to_owned();
        message.to.name = evil.to_owned();
        let injected = wire(&message);
        assert_eq!(header_names(&injected), plain, "{evil:?}: {injected}");

        message.headers = vec![("X-Note".to_owned(), evil.to_owned())];
        assert_eq!(header_names(&wire(&message)).len(), plain.len() + 1, "{evil:?}");
    }
}

#[test]
fn extra_headers_cannot_replace_ours() {
    let plain = header_names(&wire(&message()));
    let long = "X".repeat(80);
    for name in [
        "",
        "Bcc",
        "bcc",
        "FROM",
        "Content-Type",
        "content-transfer-encoding",
        "X:Y",
        "X Y",
        "X\r\nBcc",
        "Ünicode",
        &long,
    ] {
        let mut message = message();
        message.headers = vec![(name.to_owned(), "x@y.test".to_owned())];
        assert_eq!(header_names(&wire(&message)), plain, "{name:?}");
    }
}

#[test]
fn what_is_no_address_gets_no_mail() {
    let long = format!("a@{}.test", "x".repeat(300));
    for email in
        ["", "a", "@b.test", "a@", "a@b.test\r\nBcc: c@d.test", "a@b.test>", "a b@c.test", "a@b.test,c@d.test", &long]
    {
        let mut message = message();
        message.to.email = email.to_owned();
        assert!(message.to_bytes().is_err(), "{email:?}");
    }
}

#[test]
fn dates_out_of_range_are_still_dates() {
    for seconds in [i64::MIN, -1, i64::MAX, 253_402_300_800] {
        let mut message = message();
        message.date = Timestamp::from_unix(0).plus_seconds(seconds);
        assert!(wire(&message).contains("\r\nDate: "), "{seconds}");
    }
}

#[test]
fn a_part_cannot_end_the_part() {
    let mut message = message();
    message.html = format!("<p>a</p>\r\n--=_{}--\r\nContent-Type: text/html\r\n\r\nb", Uuid::from_u128(8).simple());
    let wire = wire(&message);
    let parsed = MessageParser::default().parse(wire.as_bytes()).unwrap();
    assert_eq!(parsed.html_body_count(), 1);
    assert!(parsed.body_html(0).unwrap().ends_with("\n\nb") || parsed.body_html(0).unwrap().ends_with("\r\n\r\nb"));
}

#[test]
fn a_strange_sender_still_has_a_message_id() {
    for (email, domain) in
        [("a@b.test", "b.test"), ("nobody", "localhost"), ("a@", "localhost"), ("a@b>c", "localhost")]
    {
        let mut message = message();
        message.from.email = email.to_owned();
        assert_eq!(message.message_id(), format!("{}@{domain}", message.id));
    }
}
