//! What holds for every input of the decoders: any cut gives the same, what is written reads back, nothing panics.

use bytes::{Bytes, BytesMut};
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop, prop_assert, prop_assert_eq, prop_oneof, proptest};
use wire::fault::ProtocolFault;
use wire::json::{self, LineDecoder, Request};
use wire::resp::{self, Decoder, Limits, Protocol, ReplyDecoder, encode_request};
use wire::{Fault, Reply};

/// Feeds `bytes` in pieces that end at `cuts`, and gathers what `take` takes after each piece until it gives nothing.
fn fed<T>(
    bytes: &[u8],
    cuts: &[prop::sample::Index],
    mut take: impl FnMut(&mut BytesMut) -> Option<T>,
) -> Vec<T> {
    let mut ends: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).chain([bytes.len()]).collect();
    ends.sort_unstable();
    let (mut buffer, mut start, mut taken) = (BytesMut::new(), 0, Vec::new());
    for end in ends {
        buffer.extend_from_slice(&bytes[start..end]);
        start = end;
        while let Some(item) = take(&mut buffer) {
            taken.push(item);
        }
    }
    taken
}

type Requests = (Vec<Vec<Bytes>>, Option<ProtocolFault>);

fn requests(bytes: &[u8], cuts: &[prop::sample::Index], limits: Limits) -> Requests {
    let (mut decoder, mut fault) = (Decoder::new(limits), None);
    let requests = fed(bytes, cuts, |buffer| match decoder.decode(buffer) {
        Ok(request) => request,
        Err(found) => {
            fault = Some(found);
            None
        }
    });
    (requests, fault)
}

fn replies(bytes: &[u8], cuts: &[prop::sample::Index]) -> (Vec<Reply>, Option<ProtocolFault>) {
    let (mut decoder, mut fault) = (ReplyDecoder::default(), None);
    let replies = fed(bytes, cuts, |buffer| match decoder.decode(buffer) {
        Ok(reply) => reply,
        Err(found) => {
            fault = Some(found);
            None
        }
    });
    (replies, fault)
}

fn cuts() -> impl Strategy<Value = Vec<prop::sample::Index>> {
    vec(any::<prop::sample::Index>(), 0..12)
}

/// Arguments short and long, so that every way of taking them off the buffer is met.
fn argument() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        8 => vec(any::<u8>(), 0..40),
        2 => (any::<u8>(), 20_000_usize..120_000).prop_map(|(byte, length)| std::vec![byte; length]),
    ]
}

fn pipeline() -> impl Strategy<Value = Vec<Vec<Vec<u8>>>> {
    vec(vec(argument(), 1..6), 0..6)
}

/// Bytes that look like the protocol more often than chance would have it.
fn almost() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(b"*".to_vec()),
        Just(b"$".to_vec()),
        Just(b"\r\n".to_vec()),
        Just(b"*2\r\n".to_vec()),
        Just(b"$3\r\nabc\r\n".to_vec()),
        Just(b"%1\r\n".to_vec()),
        Just(b"|1\r\n".to_vec()),
        Just(b"=5\r\ntxt:a\r\n".to_vec()),
        Just(b"_\r\n".to_vec()),
        Just(b"\"".to_vec()),
        Just(b"{\"type\":\"GET\",\"key\":\"".to_vec()),
        Just(b"\"}\n".to_vec()),
        vec(any::<u8>(), 1..4),
        any::<i64>().prop_map(|number| number.to_string().into_bytes()),
    ];
    vec(piece, 0..30).prop_map(|pieces| pieces.concat())
}

fn text() -> impl Strategy<Value = String> {
    "[ -~]{0,20}"
}

fn reply() -> impl Strategy<Value = Reply> {
    let leaf = prop_oneof![
        text().prop_map(|text| Reply::Simple(text.into())),
        any::<i64>().prop_map(Reply::Integer),
        argument().prop_map(|bytes| Reply::Bulk(bytes.into())),
        Just(Reply::Nil),
        any::<f64>().prop_filter("NaN is not itself", |number| !number.is_nan()).prop_map(Reply::Double),
        any::<bool>().prop_map(Reply::Boolean),
        vec(any::<u8>(), 0..40).prop_map(|bytes| Reply::Verbatim(bytes.into())),
        ("[A-Z]{1,12}", text())
            .prop_map(|(code, text)| Reply::Error(Fault::from_line(format!("{code} {text}").as_bytes()))),
    ];
    leaf.prop_recursive(5, 40, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Reply::Array),
            vec(inner.clone(), 0..6).prop_map(Reply::Set),
            vec(inner.clone(), 0..6).prop_map(Reply::Push),
            vec((inner.clone(), inner), 0..6).prop_map(Reply::Map),
        ]
    })
}

proptest! {
    #[test]
    fn requests_read_back_however_they_are_cut(pipeline in pipeline(), cuts in cuts()) {
        let mut bytes = BytesMut::new();
        for arguments in &pipeline {
            encode_request(arguments, &mut bytes);
        }
        let (requests, fault) = requests(&bytes, &cuts, Limits::default());
        prop_assert_eq!(fault, None);
        prop_assert!(requests == pipeline);
    }

    #[test]
    fn any_bytes_give_the_same_requests_however_they_are_cut(bytes in almost(), cuts in cuts()) {
        let limits = Limits { arguments_max: 1000, bulk_bytes_max: 1000, request_bytes_max: 5000 };
        prop_assert_eq!(requests(&bytes, &cuts, limits), requests(&bytes, &[], limits));
    }

    #[test]
    fn replies_read_back_however_they_are_cut(written in vec(reply(), 0..4), cuts in cuts()) {
        let mut bytes = BytesMut::new();
        for reply in &written {
            resp::encode(reply, Protocol::Resp3, &mut bytes);
        }
        let (read, fault) = replies(&bytes, &cuts);
        prop_assert_eq!(fault, None);
        prop_assert!(read == written);
    }

    #[test]
    fn a_resp2_client_reads_every_reply(written in reply()) {
        let mut bytes = BytesMut::new();
        resp::encode(&written, Protocol::Resp2, &mut bytes);
        let (read, fault) = replies(&bytes, &[]);
        prop_assert_eq!(fault, None);
        prop_assert_eq!(read.len(), 1);
        prop_assert!(only_resp2(&read[0]));
    }

    #[test]
    fn any_bytes_give_the_same_replies_however_they_are_cut(bytes in almost(), cuts in cuts()) {
        let (whole, whole_fault) = replies(&bytes, &[]);
        let (cut, cut_fault) = replies(&bytes, &cuts);
        // Text form, since a NaN is not equal to itself.
        prop_assert_eq!(format!("{cut:?}"), format!("{whole:?}"));
        prop_assert_eq!(cut_fault, whole_fault);
    }

    #[test]
    fn json_requests_read_back(key in any::<String>(), value in any::<String>(), cuts in cuts()) {
        let object = serde_json::json!({ "type": "SET", "key": key, "value": value });
        let line = format!("{object}\n");
        let mut decoder = LineDecoder::default();
        let read = fed(line.as_bytes(), &cuts, |buffer| decoder.decode(buffer));
        prop_assert_eq!(read, [Ok(Request::Set { key, value })]);
    }

    #[test]
    fn any_bytes_give_the_same_lines_however_they_are_cut(bytes in almost(), cuts in cuts()) {
        let read = |cuts: &[_]| {
            let mut decoder = LineDecoder::new(40);
            fed(&bytes, cuts, |buffer| decoder.decode(buffer))
        };
        prop_assert_eq!(read(&cuts), read(&[]));
    }

    #[test]
    fn json_answers_are_one_line_of_six_fields(key in any::<String>(), reply in reply(), now_ms in any::<u64>()) {
        let mut out = BytesMut::new();
        json::encode(&key, &reply, now_ms, &mut out);
        prop_assert_eq!(out.iter().filter(|&&byte| byte == b'\n').count(), 1);
        let line: serde_json::Value = serde_json::from_slice(&out).unwrap();
        prop_assert_eq!(line.as_object().unwrap().len(), 6);
        prop_assert_eq!(&line["key"], &key);
        if let Reply::Bulk(bytes) = &reply {
            let told = line["status"] == "SUCCESS" && line["value"].as_str().unwrap().as_bytes() == bytes;
            prop_assert!(told || (line["status"] == "ERROR" && std::str::from_utf8(bytes).is_err()));
        }
    }
}

fn only_resp2(reply: &Reply) -> bool {
    match reply {
        Reply::Array(items) => items.iter().all(only_resp2),
        Reply::Simple(_) | Reply::Integer(_) | Reply::Bulk(_) | Reply::Nil | Reply::Error(_) => true,
        _ => false,
    }
}
