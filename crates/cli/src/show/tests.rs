//! Golden texts of replies in all three styles.

use super::Style;
use wire::Reply;
use wire::fault::Fault;

fn shown(style: Style, reply: &Reply) -> String {
    String::from_utf8(style.show(reply)).unwrap()
}

fn bulk(text: &'static str) -> Reply {
    Reply::bulk(text)
}

#[test]
fn plain_replies() {
    let cases: [(Reply, &str, &str, &str); 10] = [
        (Reply::ok(), "OK", "OK", r#""OK""#),
        (Reply::Integer(-3), "(integer) -3", "-3", "-3"),
        (bulk("a \"b\"\\\n\x01"), r#""a \"b\"\\\n\x01""#, "a \"b\"\\\n\x01", r#""a \"b\"\\\n\u0001""#),
        (Reply::Nil, "(nil)", "", "null"),
        (Reply::NilArray, "(nil)", "", "null"),
        (Reply::Double(1.5), "(double) 1.5", "1.5", "1.5"),
        (Reply::Double(f64::NEG_INFINITY), "(double) -inf", "-inf", r#""-inf""#),
        (Reply::Boolean(true), "(true)", "true", "true"),
        (Reply::Verbatim("a\r\nb\x1b\n".into()), "a\nb\\u{1b}", "a\r\nb\u{1b}\n", r#""a\r\nb\u001b\n""#),
        (
            Reply::Error(Fault::Syntax),
            "(error) ERR syntax error",
            "ERR syntax error",
            r#"{"error":"ERR syntax error"}"#,
        ),
    ];
    for (reply, human, raw, json) in cases {
        assert_eq!(shown(Style::Human, &reply), human);
        assert_eq!(shown(Style::Raw, &reply), raw);
        assert_eq!(shown(Style::Json, &reply), json);
    }
}

#[test]
fn bytes_that_are_no_text_are_not_lost() {
    let reply = Reply::bulk(&b"\xff\x00"[..]);
    assert_eq!(shown(Style::Human, &reply), r#""\xff\x00""#);
    assert_eq!(Style::Raw.show(&reply), b"\xff\x00");
    assert_eq!(shown(Style::Json, &reply), r#"{"bytes_hex":"ff00"}"#);
}

#[test]
fn nested_series_stand_below_each_other() {
    let inner = Reply::Array(vec![bulk("b"), Reply::Integer(2)]);
    let reply = Reply::Array((0..9).map(|_| Reply::Nil).chain([inner]).collect());
    let expected = [" 1) (nil)", " 2) (nil)"];
    let text = shown(Style::Human, &reply);
    assert_eq!(text.lines().take(2).collect::<Vec<_>>(), expected);
    assert!(text.ends_with("\n10) 1) \"b\"\n    2) (integer) 2"), "{text}");
    assert!(shown(Style::Raw, &reply).ends_with("\nb\n2"));
    assert!(shown(Style::Json, &reply).ends_with(r#"null,["b",2]]"#));
}

#[test]
fn maps_keep_their_order() {
    let reply =
        Reply::Map(vec![(bulk("z"), Reply::Integer(1)), (Reply::Integer(5), Reply::Set(vec![bulk("m")]))]);
    assert_eq!(shown(Style::Human, &reply), "1# \"z\" => (integer) 1\n2# (integer) 5 => 1~ \"m\"");
    assert_eq!(shown(Style::Raw, &reply), "z 1\n5 m");
    assert_eq!(shown(Style::Json, &reply), r#"{"z":1,"5":["m"]}"#);
}

#[test]
fn empty_series_say_what_they_are() {
    for (reply, human, json) in [
        (Reply::Array(vec![]), "(empty array)", "[]"),
        (Reply::Set(vec![]), "(empty set)", "[]"),
        (Reply::Push(vec![]), "(empty push)", "[]"),
        (Reply::Map(vec![]), "(empty hash)", "{}"),
    ] {
        assert_eq!(shown(Style::Human, &reply), human);
        assert_eq!(shown(Style::Raw, &reply), "");
        assert_eq!(shown(Style::Json, &reply), json);
    }
}
