//! What peers say, written and read: every kind of envelope, on links that deliver it in any pieces.
//!
//! With `ARMILLA_SEEDS=<folder>` the envelopes are also written there, as seeds of the fuzz target `peer_frame`.

use bytes::{Bytes, BytesMut};
use causal::limits::VALUE_BYTES_MAX;
use causal::map::Knowledge;
use causal::{
    Actor, Amount, Cell, Context, Delta, Dot, Early, Edit, Entries, Entry, Key, Payload, Scope, Stamp, Sweep,
};
use placement::layout::{Advance, Move};
use placement::{NodeId, PartitionId, Position};
use wire::peer::exchange::{ChunkSums, GROUPS, Hashes, LEAVES_MAX, LeafCells, State, Step, TAKEN_LEAVES_MAX};
use wire::peer::frame::{self, FRAME_BYTES_MAX, GREETING_BYTES, Greeting};
use wire::peer::gossip::{Gossip, Health, Load, NEWS_MAX, News, Word};
use wire::peer::quorum::{Counts, Quorum, Quorums};
use wire::peer::vote::{self, Ballot, Progress, Vote};
use wire::peer::{Envelope, Found, Message, Report, Shown, Ticket, Verdict};
use wire::request::{Job, Request};
use wire::{Fault, Level, Reply};

const TICKET: Ticket = Ticket(77);
const HASHES: Hashes = Hashes { held: 1, applied: u64::MAX };

fn envelope(message: Message) -> Envelope {
    Envelope { epoch: 300, partition: PartitionId(513), message }
}

fn key() -> Key {
    Key::new(3, "counter")
}

fn cell() -> Cell {
    Cell::string(key())
}

fn dot(actor: u64, n: u64) -> Dot {
    Dot::new(Actor(actor), n)
}

fn stamp(actor: u64) -> Stamp {
    Stamp { physical_ms: 1_700_000_000_000, logical: 2, actor: Actor(actor) }
}

fn delta(n: u64, add: Option<Payload>) -> Delta {
    let edit = Edit { cell: cell(), add, removes: vec![dot(1, 1), dot(2, 300)] };
    Delta { dot: dot(5, n), stamp: stamp(5), edits: vec![edit], sweep: None }
}

fn context() -> Context {
    [dot(1, 1), dot(1, 2), dot(1, 9), dot(2, 300), dot(5, 1)].into_iter().collect()
}

fn found() -> Found {
    let entry = |n, payload| Entry { dot: dot(5, n), stamp: stamp(5), payload };
    let tenth = "-0.1".parse().expect("a decimal");
    let entries: Entries = [
        entry(1, Payload::Plain(Bytes::from_static(b"40"))),
        entry(2, Payload::Increment(Amount::Integer(-2))),
        entry(3, Payload::Increment(Amount::Decimal(tenth))),
    ]
    .into_iter()
    .collect();
    let mut early = Early::default();
    early.insert(&cell(), dot(7, 8));
    early.insert_sweep(&Sweep { scope: Scope::All, seen: [dot(9, 4)].into_iter().collect() }, &context());
    early.insert_taken(&cell(), &[dot(6, 6), dot(6, 7)].into_iter().collect());
    Found { entries, knowledge: Knowledge { context: context(), early } }
}

fn report() -> Report {
    Report { found: found(), idle: [dot(1, 9)].into_iter().collect() }
}

fn writes() -> Vec<(&'static str, Message)> {
    let plain = || delta(1, Some(Payload::Plain(Bytes::from_static(b"value"))));
    let sweep = Sweep { scope: Scope::Database(3), seen: context() };
    let flush = Delta { dot: dot(5, 9), stamp: stamp(5), edits: Vec::new(), sweep: Some(sweep) };
    let apply = |deltas, asker| Message::Apply {
        ticket: TICKET,
        deltas,
        asker,
        passes_on: false,
        quorum: Quorum::Global,
    };
    let applied = |verdict| Message::Applied { ticket: TICKET, verdict };
    vec![
        ("apply-nothing", apply(Vec::new(), None)),
        ("apply-plain", apply(vec![plain()], Some(HASHES))),
        ("apply-delete", apply(vec![delta(1, None)], None)),
        ("apply-flush", apply(vec![flush], None)),
        (
            "apply-passed-on",
            Message::Apply {
                ticket: TICKET,
                deltas: vec![plain()],
                asker: None,
                passes_on: true,
                quorum: Quorum::Local,
            },
        ),
        (
            "apply-several",
            apply(vec![plain(), delta(2, Some(Payload::Increment(Amount::Integer(i64::MIN))))], None),
        ),
        (
            "mend",
            Message::Mend {
                ticket: TICKET,
                cell: cell(),
                found: Box::new(found()),
                deltas: vec![plain(), delta(2, None)],
                asker: Some(HASHES),
                quorum: Quorum::Local,
            },
        ),
        ("applied-held", applied(Verdict::Held { report: None })),
        ("applied-reported", applied(Verdict::Held { report: Some(Box::new(report())) })),
        ("applied-ahead", applied(Verdict::StampAhead { ahead_ms: 1500 })),
        ("applied-refused", applied(Verdict::Refused)),
    ]
}

fn reads() -> Vec<(&'static str, Message)> {
    vec![
        (
            "fetch",
            Message::Fetch {
                ticket: TICKET,
                cell: Some(cell()),
                asker: HASHES,
                ranks: Some(dot(5, 9)),
                quorum: Quorum::Local,
            },
        ),
        (
            "fetch-applied",
            Message::Fetch { ticket: TICKET, cell: None, asker: HASHES, ranks: None, quorum: Quorum::Global },
        ),
        ("fetched-same", Message::Fetched { ticket: TICKET, report: None, shown: Shown::Forgotten }),
        (
            "fetched-shown",
            Message::Fetched {
                ticket: TICKET,
                report: None,
                shown: Shown::Yes(Quorums { all: true, local: false }),
            },
        ),
        (
            "fetched",
            Message::Fetched {
                ticket: TICKET,
                report: Some(Box::new(report())),
                shown: Shown::No { told: vec![NodeId(7)] },
            },
        ),
        ("unreadable", Message::Unreadable { ticket: TICKET }),
        ("layout", Message::Layout { layout: Bytes::from_static(b"any bytes") }),
        ("layout-wanted", Message::LayoutWanted),
    ]
}

fn asks() -> Vec<(&'static str, Message)> {
    let word = Bytes::from_static;
    let (read, write) = (3, 1);
    let asked = |level, job| Message::Ask { ticket: TICKET, request: Request { level, job } };
    vec![
        (
            "ask-command",
            asked(Level::Quorum, Job::Command { key: key(), words: vec![word(b"GET"), word(b"counter")] }),
        ),
        (
            "ask-empty-words",
            asked(Level::Quorum, Job::Command { key: key(), words: vec![Bytes::new(); 400] }),
        ),
        ("ask-siblings", asked(Level::One, Job::Siblings { key: key() })),
        (
            "ask-resolve",
            asked(Level::All, Job::Resolve { key: key(), token: word(b"0100"), value: word(b"value") }),
        ),
        ("ask-explain", asked(Level::Exact { read, write }, Job::Explain { key: key() })),
        ("ask-count", asked(Level::One, Job::Count { database: 15 })),
        ("ask-list", asked(Level::One, Job::List { database: 0, from: Position(1 << 50), limit: 100 })),
        ("ask-flush", asked(Level::Quorum, Job::Flush { scope: Scope::All })),
    ]
}

fn answers() -> Vec<(&'static str, Message)> {
    let answer = |reply| Message::Answer { ticket: TICKET, reply };
    let nested = Reply::Array(vec![Reply::Set(vec![Reply::Boolean(true)]), Reply::Nil, Reply::Double(0.5)]);
    vec![
        ("answer-ok", answer(Reply::ok())),
        ("answer-bulk", answer(Reply::Bulk(Bytes::from_static(b"\r\n\0")))),
        (
            "answer-nested",
            answer(Reply::Map(vec![(Reply::bulk("node"), nested), (Reply::Nil, Reply::Integer(-1))])),
        ),
        ("answer-refused", answer(Reply::Error(Fault::NoQuorum { needed: 2, reachable: 1 }))),
        ("answer-unknown", answer(Reply::Error(Fault::Unknown { held: 1, needed: 2 }))),
    ]
}

fn news() -> News {
    let load = Load {
        beat: 3,
        operations_per_s: 90_000,
        latency_us: 350,
        cpu_permille: 1_750,
        stored_bytes: 1 << 40,
        room_bytes: Some(0),
        operations_behind: u64::MAX,
        is_learning: true,
        is_full: false,
        says_error: true,
    };
    News { member: NodeId(9), incarnation: 1_700_000_000_000, health: Health::Suspect, load }
}

fn gossip() -> Vec<(&'static str, Message)> {
    let (number, asker, member) = (1_700_000_000_001, NodeId(1), NodeId(u64::MAX));
    let said = |word, news| Message::Gossip(Gossip { word, news });
    let full = Load { is_full: true, ..Load::default() };
    let down = News { health: Health::Down, load: full, ..news() };
    let alive = News { health: Health::Alive, load: Load::default(), ..news() };
    vec![
        ("gossip-probe", said(Word::Probe { number, asker }, vec![news(), down])),
        ("gossip-probe-for", said(Word::ProbeFor { number, member }, vec![alive])),
        ("gossip-answer", said(Word::Answer { number: 0, asker, member }, Vec::new())),
        ("alive", Message::Alive),
    ]
}

fn votes() -> Vec<(&'static str, Message)> {
    let (ballot, layout) = (Ballot { round: 300, proposer: u64::MAX }, || Bytes::from_static(b"a layout"));
    let said = |word| Message::Vote(Vote { ballot, disk: 7, word });
    let (member, partition) = (NodeId(9), PartitionId(513));
    let moves = [
        Advance::Begin,
        Advance::Copied { newcomer: member, began: 3 },
        Advance::Arrived { owner: member, since: 300 },
    ];
    let moves = moves.map(|advance| Move { partition, advance }).to_vec();
    let told = |disk, moves| Message::Progress(Progress { shard: (1, 4), disk, kept: 70_000, moves });
    vec![
        ("vote-prepare", said(vote::Word::Prepare)),
        ("vote-accept", said(vote::Word::Accept(layout()))),
        ("vote-promised-nothing", said(vote::Word::Promised(None))),
        ("vote-promised", said(vote::Word::Promised(Some((ballot, layout()))))),
        ("vote-accepted", said(vote::Word::Accepted)),
        ("vote-outbid", said(vote::Word::Outbid(ballot.above(1)))),
        ("progress", told(None, moves)),
        ("progress-of-a-voter", told(Some(5), Vec::new())),
    ]
}

fn exchanges() -> Vec<(&'static str, Message)> {
    let said = |step| Message::Exchange { ticket: TICKET, step };
    let Found { entries, knowledge } = found();
    let state = State { context: context(), digest: u64::MAX, is_ahead: true, counts: Counts::Nowhere };
    let knowledge = || Box::new(knowledge.clone());
    let sums = || (0..LEAVES_MAX as u64).collect::<Vec<u64>>();
    let chunk = |chunk, groups, sums| ChunkSums { chunk, asked: u64::MAX, groups, sums };
    let few = || (0..LEAVES_MAX).map(|leaf| u64::from([0, 7, 63].contains(&leaf)) << 63).collect();
    let whole =
        LeafCells { leaf: 4095, fingerprints: Some(vec![1, 2]), cells: vec![(cell(), entries.clone())] };
    let rest = LeafCells { leaf: 0, fingerprints: None, cells: vec![(cell(), entries)] };
    vec![
        ("compare", said(Step::Compare(HASHES))),
        ("same", said(Step::Same)),
        ("differs", said(Step::Differs(Box::new(state)))),
        ("forgotten", said(Step::Forgotten(context()))),
        ("open", said(Step::Open(context()))),
        (
            "opened",
            said(Step::Opened {
                snapshot: Ticket(7),
                knowledge: knowledge(),
                chunks: sums(),
                counts: Counts::Locally,
            }),
        ),
        (
            "descend",
            said(Step::Descend {
                snapshot: Ticket(u64::MAX),
                chunks: vec![(0, [u64::MAX; GROUPS]), (63, [1, 0, 0, 0, 0, 0, 0, 2])],
            }),
        ),
        ("leaves", said(Step::Leaves(vec![chunk(0, 0xff, sums()), chunk(63, 0b1000_0001, few())]))),
        ("take", said(Step::Take { snapshot: Ticket(0), leaves: vec![0, 4095], skip: u32::MAX })),
        ("cells", said(Step::Cells { leaves: vec![whole], more: None })),
        ("cells-more", said(Step::Cells { leaves: vec![rest], more: Some(300) })),
        ("close", said(Step::Close)),
        ("gone", said(Step::Gone)),
        ("later", said(Step::Later)),
        ("offer", said(Step::Offer(context()))),
        ("had", said(Step::Had)),
        (
            "lent",
            said(Step::Lent { snapshot: Ticket(8), knowledge: knowledge(), leaves: (0..300).collect() }),
        ),
    ]
}

#[test]
fn exchanges_that_name_more_than_there_is_are_refused() {
    let received = |step| {
        let mut bytes = BytesMut::new();
        envelope(Message::Exchange { ticket: TICKET, step }).encode(&mut bytes);
        Envelope::decode(bytes.freeze())
    };
    let take = |count| Step::Take { snapshot: Ticket(1), leaves: vec![0; count], skip: 0 };
    let descend = |count| Step::Descend { snapshot: Ticket(1), chunks: vec![(0, [0; GROUPS]); count] };
    let chunk = ChunkSums { chunk: 0, asked: 0, groups: 0, sums: vec![0; LEAVES_MAX] };
    let leaves = |count| Step::Leaves(vec![chunk.clone(); count]);
    let lent = |count| Step::Lent { snapshot: Ticket(1), knowledge: Box::default(), leaves: vec![0; count] };
    for step in
        [take(TAKEN_LEAVES_MAX), descend(LEAVES_MAX), leaves(LEAVES_MAX), lent(LEAVES_MAX * LEAVES_MAX)]
    {
        assert!(received(step.clone()).is_ok(), "{step:?}");
    }
    let lent = lent(LEAVES_MAX * LEAVES_MAX + 1);
    for step in [take(TAKEN_LEAVES_MAX + 1), descend(LEAVES_MAX + 1), leaves(LEAVES_MAX + 1), lent] {
        assert!(received(step.clone()).is_err(), "{step:?}");
    }
}

#[test]
fn gossip_with_more_news_than_any_has_is_refused() {
    let word = Word::Answer { number: 1, asker: NodeId(1), member: NodeId(2) };
    let received = |count| {
        let mut bytes = BytesMut::new();
        envelope(Message::Gossip(Gossip { word, news: vec![news(); count] })).encode(&mut bytes);
        Envelope::decode(bytes.freeze())
    };
    assert!(received(NEWS_MAX).is_ok());
    assert!(received(NEWS_MAX + 1).is_err());
}

fn every_kind() -> Vec<(&'static str, Envelope)> {
    let all = [writes(), reads(), asks(), answers(), gossip(), votes(), exchanges()].into_iter().flatten();
    all.map(|(name, message)| (name, envelope(message))).collect()
}

fn received(bytes: &[u8], piece: usize) -> Vec<Envelope> {
    let (mut buffer, mut envelopes) = (BytesMut::new(), Vec::new());
    for arrived in bytes.chunks(piece) {
        buffer.extend_from_slice(arrived);
        while let Some(envelope) = frame::decode(&mut buffer).expect("frames as they were written") {
            envelopes.push(envelope);
        }
    }
    assert!(buffer.is_empty(), "nothing is left of whole frames");
    envelopes
}

fn written(envelopes: &[Envelope]) -> BytesMut {
    let mut bytes = BytesMut::new();
    envelopes.iter().for_each(|envelope| frame::encode(envelope, &mut bytes).expect("a short one"));
    bytes
}

#[test]
fn every_kind_is_read_as_it_was_written_in_any_pieces() {
    let is_refusal = |name: &str| matches!(name, "answer-refused" | "answer-unknown");
    let (refusals, rest): (Vec<_>, Vec<_>) = every_kind().into_iter().partition(|(name, _)| is_refusal(name));
    let sent: Vec<Envelope> = rest.into_iter().map(|(_, envelope)| envelope).collect();
    let bytes = written(&sent);
    for piece in [1, 2, 3, 7, 64, bytes.len()] {
        assert!(received(&bytes, piece) == sent, "in pieces of {piece}");
    }
    // A refusal travels as its words: whoever passes it on to the client says the same.
    let sent: Vec<Envelope> = refusals.into_iter().map(|(_, envelope)| envelope).collect();
    assert_eq!(written(&received(&written(&sent), 1)), written(&sent));
}

#[test]
fn an_unknown_outcome_stays_unknown_when_it_is_passed_on() {
    let unknown =
        Message::Answer { ticket: TICKET, reply: Reply::Error(Fault::Unknown { held: 1, needed: 2 }) };
    let received = received(&written(&[envelope(unknown)]), 1);
    let [Envelope { message: Message::Answer { reply: Reply::Error(fault), .. }, .. }] = &received[..] else {
        panic!("one answer that is an error, not {received:?}")
    };
    assert!(fault.is_unknown(), "{fault:?}");
}

#[test]
fn an_envelope_cut_short_or_too_long_is_malformed() {
    for (name, envelope) in every_kind() {
        let mut bytes = BytesMut::new();
        envelope.encode(&mut bytes);
        for length in 0..bytes.len() {
            let cut = Envelope::decode(Bytes::copy_from_slice(&bytes[..length]));
            assert!(cut.is_err(), "{name} cut to {length} is {cut:?}");
        }
        bytes.extend_from_slice(b"\0");
        assert!(Envelope::decode(bytes.freeze()).is_err(), "{name} with a byte too many");
    }
}

#[test]
fn a_frame_that_claims_too_much_is_refused_before_it_comes() {
    let claim = |length: usize| {
        let length = u32::try_from(length).expect("a length of four bytes");
        frame::decode(&mut BytesMut::from(&length.to_be_bytes()[..]))
    };
    assert_eq!(claim(FRAME_BYTES_MAX), Ok(None));
    assert!(claim(FRAME_BYTES_MAX + 1).is_err());
    assert!(claim(0).is_err(), "an envelope has at least its version");
}

/// Three siblings of the greatest length are more than a peer takes in one frame.
#[test]
fn a_frame_that_would_be_refused_is_not_written() {
    let value = Bytes::from(vec![b'v'; VALUE_BYTES_MAX]);
    let apply = |count: u64| {
        let deltas = (1..=count).map(|n| delta(n, Some(Payload::Plain(value.clone())))).collect();
        envelope(Message::Apply {
            ticket: TICKET,
            deltas,
            asker: None,
            passes_on: false,
            quorum: Quorum::Global,
        })
    };
    let mut link = BytesMut::from(&b"before"[..]);
    let refused = frame::encode(&apply(3), &mut link).expect_err("it is too long");
    assert!(refused.bytes > 3 * VALUE_BYTES_MAX);
    assert_eq!(&link[..], b"before", "the link is as it was");
    link.clear();
    frame::encode(&apply(2), &mut link).expect("two fit");
    assert_eq!(frame::decode(&mut link), Ok(Some(apply(2))));
}

#[test]
fn a_greeting_is_read_as_it_was_written() {
    let greeting = Greeting { cluster: 1, from: NodeId(2), to: NodeId(u64::MAX), began: 3 };
    let mut bytes = BytesMut::new();
    greeting.encode(&mut bytes);
    assert_eq!(bytes.len(), GREETING_BYTES);
    assert_eq!(Greeting::decode(bytes.clone().freeze()), Ok(greeting));
    bytes[4] += 1;
    assert!(Greeting::decode(bytes.freeze()).is_err(), "another version of the link");
}

/// A seed begins with the size of the pieces in which the rest arrives.
#[test]
fn seeds_of_the_fuzz_target() {
    let mut seeds: Vec<(&str, BytesMut)> = Vec::new();
    let mut link = BytesMut::from(&[5][..]);
    for (name, envelope) in every_kind() {
        let mut seed = BytesMut::from(&[0][..]);
        envelope.encode(&mut seed);
        seeds.push((name, seed));
        if name.ends_with("command") || name.starts_with("applied") {
            frame::encode(&envelope, &mut link).expect("a short one");
        }
    }
    seeds.push(("link", link));
    // The answer that RESP3 has no word for, as a peer of another mind might send it.
    seeds.push(("answer-nil-array", BytesMut::from(&b"\0\x01\x01\0\x01\x09\0\0\0\0\0\0\0\x01*-1\r\n"[..])));
    assert!(seeds.iter().all(|(_, seed)| seed.len() < 1024), "seeds are small");
    let Ok(folder) = std::env::var("ARMILLA_SEEDS") else { return };
    for (name, seed) in seeds {
        std::fs::write(format!("{folder}/{name}"), seed).expect("a folder for seeds");
    }
}
