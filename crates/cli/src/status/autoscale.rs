//! What `armilla status` tells of the autoscaler: how it stands, and what was decided last.
//!
//! Not `armilla dev --autoscale`, which tells that itself.
//!
//! 1. Each member keeps what it has decided itself; here that is one history, in the order of time.

use wire::Reply;

use super::{field, integer, text};

/// So many decisions are shown; `--json` has all.
const SHOWN_MAX: usize = 5;

/// Lines for people, from what each member says of its own.
pub(crate) fn lines<'a>(own: impl Iterator<Item = &'a Reply>) -> Vec<String> {
    let on: Vec<&Reply> = own.filter(|own| !matches!(text(own, "mode").as_str(), "off" | "-")).collect();
    let decides = |own: &&&Reply| matches!(field(own, "decides"), Some(Reply::Boolean(true)));
    let Some(first) = on.iter().find(decides).or(on.first()) else { return Vec::new() };
    let number = |name| integer(first, name).unwrap_or(0);
    let head = format!(
        "autoscale {}, {}..{} members: {}",
        text(first, "mode"),
        number("members_min"),
        number("members_max"),
        text(first, "standing")
    );
    let mut records: Vec<&Reply> = on.iter().flat_map(|own| history(own)).collect();
    records.sort_by_key(|record| integer(record, "ms_ago"));
    records.truncate(SHOWN_MAX);
    std::iter::once(head).chain(records.into_iter().rev().map(told)).collect()
}

fn history(own: &Reply) -> &[Reply] {
    match field(own, "history") {
        Some(Reply::Array(records)) => records,
        _ => &[],
    }
}

fn told(record: &Reply) -> String {
    let seconds = integer(record, "ms_ago").unwrap_or(0) / 1_000;
    let [what, why, outcome] = ["what", "why", "outcome"].map(|name| text(record, name));
    format!("  {seconds} s ago: {what}: {why}; {outcome}")
}

#[cfg(test)]
mod tests {
    use super::lines;
    use wire::Reply;

    fn map(pairs: Vec<(&'static str, Reply)>) -> Reply {
        Reply::Map(pairs.into_iter().map(|(key, value)| (Reply::bulk(key), value)).collect())
    }

    fn own(decides: bool, standing: &'static str, history: &[(i64, &'static str)]) -> Reply {
        let record = |(seconds, what): &(i64, &'static str)| {
            let texts = [("what", *what), ("why", "so"), ("outcome", "done")];
            let texts = texts.map(|(name, text)| (name, Reply::bulk(text)));
            map([("ms_ago", Reply::Integer(seconds * 1_000))].into_iter().chain(texts).collect())
        };
        map(vec![
            ("mode", Reply::bulk("on")),
            ("decides", Reply::Boolean(decides)),
            ("members_min", Reply::Integer(3)),
            ("members_max", Reply::Integer(6)),
            ("standing", Reply::bulk(standing)),
            ("history", Reply::Array(history.iter().map(record).collect())),
        ])
    }

    #[test]
    fn the_histories_of_all_are_one() {
        let all = [
            own(false, "old", &[(90, "start auto1"), (80, "start auto2")]),
            own(true, "new", &[(7, "drain auto2")]),
            map(vec![("mode", Reply::bulk("off"))]),
        ];
        let expected = [
            "autoscale on, 3..6 members: new",
            "  90 s ago: start auto1: so; done",
            "  80 s ago: start auto2: so; done",
            "  7 s ago: drain auto2: so; done",
        ];
        assert_eq!(lines(all.iter()), expected);
        assert!(lines(all[2..].iter()).is_empty());
    }

    #[test]
    fn the_last_are_shown() {
        let many: Vec<_> = (0..9).map(|seconds| (seconds, "start auto1")).collect();
        let shown = lines([own(true, "", &many)].iter());
        assert_eq!((shown.len(), shown[1].contains("4 s ago")), (1 + super::SHOWN_MAX, true), "{shown:?}");
    }
}
