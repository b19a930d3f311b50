//! Who wins over whom, and the golden texts of refusals.

use super::{Merged, ServerFlags, merge};
use clap::Parser;
use server::Role;
use server::autoscale::Mode;
use server::config::Fsync;
use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;
use wire::Level;

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    flags: ServerFlags,
}

/// A file that is gone when the test is.
struct Written(PathBuf);

impl Written {
    fn new(name: &str, text: &str) -> Self {
        let path = std::env::temp_dir().join(format!("armilla-settings-{}-{name}.toml", std::process::id()));
        fs::write(&path, text).unwrap();
        Self(path)
    }
}

impl Drop for Written {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn merged(file: Option<&Written>, variables: &[(&str, &str)], flags: &[&str]) -> anyhow::Result<Merged> {
    let mut line: Vec<OsString> = vec!["server".into()];
    if let Some(file) = file {
        line.extend(["--config".into(), file.0.clone().into_os_string()]);
    }
    line.extend(flags.iter().map(OsString::from));
    merge(
        &Line::try_parse_from(line).unwrap().flags,
        variables.iter().map(|(name, value)| (name.into(), value.into())),
    )
}

/// The refusal, with the file's name cut to `FILE`.
fn refusal(file: &str, variables: &[(&str, &str)]) -> String {
    let name = std::thread::current().name().unwrap_or_default().replace(':', "-");
    let written = Written::new(&name, file);
    let error = merged(Some(&written), variables, &[]).unwrap_err();
    format!("{error:#}").replace(&written.0.display().to_string(), "FILE")
}

#[test]
fn nothing_said_is_the_default() {
    let merged =
        merged(None, &[("PATH", "/bin"), ("ARMILLA_SERVER", "x:1"), ("ARMILLA_NODE", "auto1")], &[]).unwrap();
    let default = server::Config::default();
    assert_eq!(format!("{:?}", merged.config), format!("{default:?}"));
    assert_eq!(merged.log, "info");
}

#[test]
fn flags_win_over_variables_over_the_file() {
    let text = "id = \"f\"\nweight = 2\nfsync = \"never\"\nshards = 3\ncache-bytes = \"1MiB\"\n";
    let file = Written::new("precedence", text);
    let variables = [("ARMILLA_ID", "e"), ("ARMILLA_FSYNC", "interval:20"), ("ARMILLA_CACHE_BYTES", "2MiB")];
    let config = merged(Some(&file), &variables, &["--id", "g", "--level", "all"]).unwrap().config;
    assert_eq!((config.id.as_str(), config.weight, config.shards), ("g", 2, Some(3)));
    assert_eq!(config.fsync, Fsync::Interval(Duration::from_millis(20)));
    assert_eq!((config.cache_bytes, config.level), (2 << 20, Level::All));
}

/// What comes of these values, which is the same from flags, variables and a file.
fn from_every_source(name: &str, values: &[(&str, &str)]) -> Merged {
    let flags: Vec<String> =
        values.iter().flat_map(|(key, value)| [format!("--{key}"), (*value).to_owned()]).collect();
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let variables: Vec<(String, &str)> =
        values.iter().map(|(key, value)| (super::variable(key), *value)).collect();
    let variables: Vec<(&str, &str)> = variables.iter().map(|(key, value)| (key.as_str(), *value)).collect();
    let text: String = values.iter().map(|(key, value)| format!("{key} = \"{value}\"\n")).collect();
    let file = Written::new(name, &text);

    let from_flags = merged(None, &[], &flags).unwrap();
    assert_eq!(format!("{from_flags:?}"), format!("{:?}", merged(None, &variables, &[]).unwrap()));
    assert_eq!(format!("{from_flags:?}"), format!("{:?}", merged(Some(&file), &[], &[]).unwrap()));
    from_flags
}

#[test]
fn every_setting_reaches_the_server_from_every_source() {
    let values = [
        ("id", "n"),
        ("role", "gateway"),
        ("addr", "127.0.0.2:1"),
        ("peer-addr", "127.0.0.3:2"),
        ("http-addr", "127.0.0.4:5"),
        ("announce", "h:4"),
        ("dir", "d"),
        ("join", "h:3"),
        ("fsync", "never"),
        ("level", "1,2"),
        ("shards", "5"),
        ("replicas", "dc1=3,dc2=2"),
        ("partitions", "8"),
        ("weight", "9"),
        ("zone", "a/b"),
        ("request-timeout-ms", "11"),
        ("retry-ms", "12"),
        ("probe-every-ms", "60"),
        ("suspicion-ms", "15"),
        ("enable-chaos", "true"),
        ("maxclients", "13"),
        ("cache-bytes", "14"),
        ("disk-reserve-bytes", "15"),
        ("handoff-bytes-max", "16"),
        ("replace-after", "40s"),
        ("move-bytes-per-second", "41"),
        ("accept-data-loss", "yes"),
        ("log", "warn"),
    ];
    let from_flags = from_every_source("every", &values);
    let config = from_flags.config;
    assert_eq!(
        (config.id.as_str(), config.client_addr.port(), config.peer_addr.unwrap().port()),
        ("n", 1, 2)
    );
    assert_eq!((config.role, config.http_addr.unwrap().port()), (Role::Gateway, 5));
    assert_eq!(config.announce.as_deref(), Some("h:4"));
    assert_eq!((config.dir, config.join.as_deref(), config.fsync), ("d".into(), Some("h:3"), Fsync::Never));
    assert_eq!((config.level, config.shards), (Level::Exact { read: 1, write: 2 }, Some(5)));
    assert_eq!((config.copies.to_string().as_str(), config.partitions, config.weight), ("dc1=3,dc2=2", 8, 9));
    assert_eq!(config.zone.to_string(), "a/b");
    assert_eq!((config.request_timeout.as_millis(), config.retry.as_millis()), (11, 12));
    assert_eq!((config.disk_reserve_bytes, config.accept_data_loss), (15, true));
    assert_eq!((config.replace_after, config.move_bytes_per_second), (Some(Duration::from_secs(40)), 41));
    assert_eq!(config.handoff_bytes_max, 16);
    assert_eq!((config.probe_every.as_millis(), config.suspicion.as_millis()), (60, 15));
    assert!(config.enable_chaos && merged(None, &[], &["--enable-chaos"]).unwrap().config.enable_chaos);
    assert!(!merged(None, &[], &[]).unwrap().config.enable_chaos);
    assert_eq!((config.clients_max, config.cache_bytes, from_flags.log.as_str()), (13, 14, "warn"));
}

#[test]
fn every_setting_of_scaling_reaches_the_server_too() {
    let values = [
        ("autoscale", "on"),
        ("autoscale-min", "2"),
        ("autoscale-max", "7"),
        ("autoscale-operations", "1..2"),
        ("autoscale-cpu", "3..4"),
        ("autoscale-bytes", "1KiB..2KiB"),
        ("autoscale-latency", "5..6"),
        ("autoscale-hold-ms", "17"),
        ("autoscale-cool-down-ms", "18"),
        ("scale-out", "out {node}"),
        ("scale-in", "in {node}"),
    ];
    let config = from_every_source("scaling", &values).config;
    let scaling = config.autoscale;
    assert_eq!((scaling.mode, scaling.min, scaling.max), (Some(Mode::On), 2, Some(7)));
    let marks: Vec<String> =
        scaling.marks.iter().map(|(metric, band)| format!("{metric:?} {band}")).collect();
    assert_eq!(marks, ["Operations 1..2", "Cpu 3..4", "Bytes 1024..2048", "Latency 5..6"]);
    assert_eq!((scaling.hold.as_millis(), scaling.cool_down.as_millis()), (17, 18));
    assert_eq!(scaling.scale_out.zip(scaling.scale_in), Some(("out {node}".into(), "in {node}".into())));
}

#[test]
fn unknown_keys_are_refused_by_name() {
    assert_eq!(refusal("fsyncc = \"never\"", &[]), "FILE: there is no setting fsyncc; did you mean fsync?");
    assert_eq!(
        refusal("cache_bytes = 1", &[]),
        "FILE: there is no setting cache_bytes; did you mean cache-bytes?"
    );
    assert_eq!(
        refusal("", &[("ARMILLA_SHARD", "2")]),
        "the environment: there is no setting ARMILLA_SHARD; did you mean ARMILLA_SHARDS?"
    );
    assert_eq!(
        refusal("\"\" = 1", &[]),
        "FILE: there is no setting \"\"; there are id, role, addr, peer-addr, http-addr, announce, dir, join, fsync, level, shards, \
         replicas, partitions, weight, zone, request-timeout-ms, retry-ms, probe-every-ms, suspicion-ms, enable-chaos, maxclients, \
         cache-bytes, disk-reserve-bytes, handoff-bytes-max, replace-after, move-bytes-per-second, accept-data-loss, log, \
         autoscale, autoscale-min, autoscale-max, autoscale-operations, autoscale-cpu, autoscale-bytes, autoscale-latency, \
         autoscale-hold-ms, autoscale-cool-down-ms, scale-out, scale-in"
    );
    let text = refusal("", &[("ARMILLA_XYZZY", "2")]);
    assert!(
        text.starts_with("the environment: there is no setting ARMILLA_XYZZY; there are ARMILLA_ID, "),
        "{text}"
    );
    assert_eq!(
        refusal("[server]\nid = \"a\"", &[]),
        "FILE: [server] is a table; settings stand outside of any table"
    );
}

#[test]
fn values_that_are_not_good_are_refused_with_their_source() {
    assert_eq!(
        refusal("fsync = \"sometimes\"", &[]),
        "FILE: fsync: \"sometimes\": `sometimes` is no fsync policy: write always, never, or interval:<milliseconds>"
    );
    assert_eq!(
        refusal("role = \"manager\"", &[]),
        "FILE: role: \"manager\": `manager` is no role: write store or gateway"
    );
    assert_eq!(refusal("weight = -1", &[]), "FILE: weight: \"-1\": -1 is not in 1..=65535");
    assert_eq!(refusal("retry-ms = 0", &[]), "FILE: retry-ms: \"0\": 0 is not in 1..=3600000");
    assert_eq!(
        refusal("weight = 1.5", &[]),
        "FILE: weight: a setting is text, a whole number, true or false, not float"
    );
    assert_eq!(
        refusal("", &[("ARMILLA_CACHE_BYTES", "lots")]),
        "the environment: ARMILLA_CACHE_BYTES: \"lots\": write a number of bytes, or a number with B, kB, MB, GB, KiB, \
         MiB or GiB"
    );
    assert_eq!(
        refusal("", &[("ARMILLA_ADDR", "7001")]),
        "the environment: ARMILLA_ADDR: \"7001\": write it as HOST:PORT, with a port from 1 to 65535"
    );
    assert!(refusal("id = ", &[]).starts_with("FILE: TOML parse error at line 1"));
}

#[test]
fn a_file_that_is_not_there_is_an_error() {
    let gone = Written::new("gone", "");
    fs::remove_file(&gone.0).unwrap();
    let error = merged(Some(&gone), &[], &[]).unwrap_err().to_string();
    assert!(error.starts_with("cannot read the configuration "), "{error}");
}
