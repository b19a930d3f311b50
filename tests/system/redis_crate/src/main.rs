//! The `redis` crate, alone and as a cluster client. Prints one line a case, `ok NAME` or `FAILED NAME: why`; the ports of the
//! nodes are its arguments.
//!
//! Not a load: each case is a way in which programs use the crate.
//!
//! 1. A case that panics has failed, and the others still run.
//! 2. No wait is without an end: connections have time limits.

use std::collections::BTreeSet;
use std::env;
use std::panic;
use std::process::ExitCode;
use std::time::Duration;

use redis::cluster::{ClusterClient, ClusterConnection};
use redis::{Client, Commands, Connection, ErrorKind, RedisResult, Value};

const ANSWER_MAX: Duration = Duration::from_secs(20);
const KEYS: usize = 1000;

type Case = fn(&[u16]) -> RedisResult<()>;

const CASES: [(&str, Case); 9] = [
    ("strings and counters at any node", strings),
    ("RESP3", resp3),
    ("a pipeline answers in order", pipeline),
    ("a scan gives every key", scan),
    ("an unknown command leaves the connection", unknown_command),
    ("an error in a pipeline is told", pipeline_error),
    ("the cluster client finds all nodes from any", discovery),
    ("the cluster client over keys of all slots", all_slots),
    ("the cluster client's pipeline", cluster_pipeline),
];

fn main() -> ExitCode {
    let ports: Vec<u16> = env::args().skip(1).map(|port| port.parse().expect("a port")).collect();
    let mut failed = false;
    for (name, case) in CASES {
        let wrong = match panic::catch_unwind(|| case(&ports)) {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(panic) => {
                Some(panic.downcast_ref::<String>().cloned().unwrap_or_else(|| "it panicked".to_owned()))
            }
        };
        match &wrong {
            None => println!("ok {name}"),
            Some(why) => println!("FAILED {name}: {}", why.replace('\n', " | ")),
        }
        failed |= wrong.is_some();
    }
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn connect(url: String) -> RedisResult<Connection> {
    let connection = Client::open(url)?.get_connection_with_timeout(ANSWER_MAX)?;
    connection.set_read_timeout(Some(ANSWER_MAX))?;
    connection.set_write_timeout(Some(ANSWER_MAX))?;
    Ok(connection)
}

fn alone(port: u16) -> RedisResult<Connection> {
    connect(format!("redis://127.0.0.1:{port}/"))
}

/// A cluster client that is told of one node only.
fn cluster(port: u16) -> RedisResult<ClusterConnection> {
    let builder = ClusterClient::builder([format!("redis://127.0.0.1:{port}/")]);
    builder.connection_timeout(ANSWER_MAX).response_timeout(ANSWER_MAX).build()?.get_connection()
}

fn strings(ports: &[u16]) -> RedisResult<()> {
    let (mut first, mut second, mut third) = (alone(ports[0])?, alone(ports[1])?, alone(ports[2])?);
    assert_eq!(first.set::<_, _, String>("rs:k", "v")?, "OK");
    assert_eq!(third.get::<_, String>("rs:k")?, "v");
    assert_eq!(second.get::<_, Option<String>>("rs:none")?, None);
    assert!(!second.set_nx::<_, _, bool>("rs:k", "w")?);
    assert_eq!(second.incr::<_, _, i64>("rs:n", 5)?, 5);
    assert_eq!(third.decr::<_, _, i64>("rs:n", 1)?, 4);
    assert_eq!(first.mset::<_, _, String>(&[("rs:a", 1), ("rs:b", 2)])?, "OK");
    assert_eq!(second.mget::<_, Vec<Option<i64>>>(&["rs:a", "rs:none", "rs:b"])?, [Some(1), None, Some(2)]);
    assert_eq!(third.append::<_, _, usize>("rs:k", "!")?, 2);
    assert_eq!(first.del::<_, usize>(&["rs:k", "rs:none"])?, 1);
    assert!(!second.exists::<_, bool>("rs:k")?);
    let every: Vec<u8> = (0..=255).collect();
    first.set::<_, _, ()>(&every, &every)?;
    assert_eq!(third.get::<_, Vec<u8>>(&every)?, every);
    Ok(())
}

fn resp3(ports: &[u16]) -> RedisResult<()> {
    let mut connection = connect(format!("redis://127.0.0.1:{}/?protocol=resp3", ports[1]))?;
    let hello: Value = redis::cmd("HELLO").arg(3).query(&mut connection)?;
    assert!(matches!(&hello, Value::Map(fields) if !fields.is_empty()), "{hello:?}");
    connection.set::<_, _, ()>("rs:three", "v")?;
    assert_eq!(connection.get::<_, String>("rs:three")?, "v");
    assert_eq!(connection.get::<_, Option<String>>("rs:none")?, None);
    Ok(())
}

fn pipeline(ports: &[u16]) -> RedisResult<()> {
    let mut pipe = redis::pipe();
    for number in 0..KEYS {
        pipe.set(format!("rs:p:{number}"), number).ignore().get(format!("rs:p:{number}"));
    }
    let read: Vec<usize> = pipe.query(&mut alone(ports[0])?)?;
    assert_eq!(read, (0..KEYS).collect::<Vec<_>>());
    Ok(())
}

fn scan(ports: &[u16]) -> RedisResult<()> {
    let mut connection = alone(ports[2])?;
    let seen = connection.scan_match::<_, String>("rs:p:*")?.collect::<RedisResult<BTreeSet<String>>>()?;
    assert_eq!(seen, (0..KEYS).map(|number| format!("rs:p:{number}")).collect());
    Ok(())
}

fn unknown_command(ports: &[u16]) -> RedisResult<()> {
    let mut connection = alone(ports[0])?;
    let id: i64 = redis::cmd("CLIENT").arg("ID").query(&mut connection)?;
    let error =
        redis::cmd("NOSUCH").arg("a").query::<Value>(&mut connection).expect_err("an unknown command");
    assert!(error.to_string().contains("unknown command 'NOSUCH'"), "{error}");
    assert_eq!(redis::cmd("CLIENT").arg("ID").query::<i64>(&mut connection)?, id);
    Ok(())
}

fn pipeline_error(ports: &[u16]) -> RedisResult<()> {
    let mut connection = alone(ports[1])?;
    let done: RedisResult<Vec<Value>> =
        redis::pipe().set("rs:text", "abc").incr("rs:text", 1).get("rs:text").query(&mut connection);
    let error = done.expect_err("text is not counted");
    assert!(error.to_string().contains("not an integer"), "{error}");
    assert_eq!(connection.get::<_, String>("rs:text")?, "abc");
    Ok(())
}

fn discovery(ports: &[u16]) -> RedisResult<()> {
    for port in ports {
        let mut connection = cluster(*port)?;
        for number in 0..50 {
            connection.set::<_, _, ()>(format!("rs:d:{number}"), number)?;
            assert_eq!(connection.get::<_, i64>(format!("rs:d:{number}"))?, number);
        }
    }
    Ok(())
}

fn all_slots(ports: &[u16]) -> RedisResult<()> {
    let (mut writer, mut reader) = (cluster(ports[0])?, cluster(ports[2])?);
    for number in 0..KEYS {
        writer.set::<_, _, ()>(format!("rs:all:{number}"), number)?;
        writer.incr::<_, _, ()>("rs:all:n", 1)?;
    }
    for number in 0..KEYS {
        assert_eq!(reader.get::<_, usize>(format!("rs:all:{number}"))?, number);
    }
    assert_eq!(reader.get::<_, usize>("rs:all:n")?, KEYS);
    let error =
        redis::cmd("INCR").arg("rs:text").query::<Value>(&mut reader).expect_err("text is not counted");
    assert_eq!(error.kind(), ErrorKind::Server(redis::ServerErrorKind::ResponseError));
    Ok(())
}

fn cluster_pipeline(ports: &[u16]) -> RedisResult<()> {
    let mut pipe = redis::cluster::cluster_pipe();
    for number in 0..KEYS {
        pipe.set(format!("rs:cp:{number}"), number).ignore().get(format!("rs:cp:{number}"));
    }
    let read: Vec<usize> = pipe.query(&mut cluster(ports[1])?)?;
    assert_eq!(read, (0..KEYS).collect::<Vec<_>>());
    Ok(())
}
