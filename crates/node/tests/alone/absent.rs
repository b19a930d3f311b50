//! Who is down for long, and whether the others have room for its copies.

use crate::one::{One, PARTITION, REPLACE_AFTER_MS, WHILE_MS, cluster, id};
use node::{Absence, Action, Event, Hindrance, Trust};
use wire::peer::Message;
use wire::peer::gossip::{Gossip, Health, Load, News, Word};

/// What speaks against replacing one of four, when it is time, where each of the others has so much room and stores ten.
fn hindrance(room_bytes: u64) -> Option<Hindrance> {
    let mut names = ["a", "b", "c", "d"];
    let layout = cluster(3, &names.map(|name| (name, "x/1")));
    names.sort_by_key(|name| !layout.owners(PARTITION).contains(&id(name)));
    // The last takes the copy of the second, which is gone.
    let [me, gone, there @ ..] = names;
    let mut one = One::open(me, &layout, Trust::Whole);
    one.link(&there);
    let until = one.now_ms + REPLACE_AFTER_MS + 2 * WHILE_MS;
    while one.now_ms < until {
        one.now_ms += 10;
        for action in one.take(Event::Tick) {
            // Those that are there answer, and say that it is down.
            let Action::Send { to, envelope } = action else { continue };
            let Message::Gossip(Gossip { word: Word::Probe { number, asker }, .. }) = envelope.message else {
                continue;
            };
            if let Some(name) = there.into_iter().find(|name| id(name) == to) {
                let load =
                    Load { stored_bytes: 10, room_bytes: Some(room_bytes), beat: number, ..Load::default() };
                let alive = News { member: to, incarnation: 1, health: Health::Alive, load };
                let down =
                    News { member: id(gone), incarnation: 1, health: Health::Down, load: Load::default() };
                let word = Word::Answer { number, asker, member: to };
                one.told(name, Message::Gossip(Gossip { word, news: vec![alive, down] }));
            }
        }
    }
    let absences: Vec<Absence> = one.node.absences().collect();
    let [Absence { member, left_ms: 0, hindrance }] = absences[..] else { panic!("{absences:?}") };
    assert_eq!(member, id(gone));
    hindrance
}

#[test]
fn who_is_gone_is_replaced_where_there_is_room_for_its_copies() {
    assert_eq!(hindrance(1_000), None);
    assert_eq!(hindrance(1), Some(Hindrance::NoRoom));
}
