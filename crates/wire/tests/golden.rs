//! The golden scripts of the two client protocols.

use std::error::Error;
use std::fmt::Write;

use bytes::{Bytes, BytesMut};
use goldenscript::{Command, Context, Runner};
use wire::Reply;
use wire::json::{self, LineDecoder};
use wire::resp::{self, Decoder, Limits, Protocol, ReplyDecoder};

type Output = Result<String, Box<dyn Error>>;

/// The moment at which every scripted answer is given.
const NOW_MS: u64 = 1_767_225_600_123;

fn position(command: &Command, index: usize) -> Result<&str, Box<dyn Error>> {
    let mut arguments = command.consume_args();
    let skipped = (0..index).all(|_| arguments.next_pos().is_some());
    arguments.next_pos().filter(|_| skipped).ok_or_else(|| "an argument is missing".into())
}

/// A `name=number` of a command, or a default.
fn number(command: &Command, name: &str, default: usize) -> Result<usize, Box<dyn Error>> {
    Ok(command.consume_args().take_key(name).map_or(Ok(default), str::parse)?)
}

#[derive(Default)]
struct Requests {
    decoder: Decoder,
    buffer: BytesMut,
}

impl Runner for Requests {
    type Command = Command;

    fn run(&mut self, command: &Command, _: &Context) -> Output {
        if command.name == "connect" {
            let limits = Limits::default();
            self.decoder = Decoder::new(Limits {
                arguments_max: number(command, "arguments", limits.arguments_max)?,
                bulk_bytes_max: number(command, "bulk", limits.bulk_bytes_max)?,
                request_bytes_max: number(command, "request", limits.request_bytes_max)?,
            });
            self.buffer.clear();
            return Ok(String::new());
        }
        self.buffer.extend_from_slice(position(command, 0)?.as_bytes());
        let mut output = String::new();
        loop {
            match self.decoder.decode(&mut self.buffer) {
                Ok(Some(arguments)) => {
                    let shown: Vec<_> = arguments.iter().map(|argument| shown(argument)).collect();
                    writeln!(output, "{}", shown.join(" "))?;
                    continue;
                }
                Ok(None) if self.decoder.is_midway(&self.buffer) => writeln!(output, "(waiting)")?,
                Ok(None) => {}
                Err(fault) => writeln!(output, "-{fault}")?,
            }
            return Ok(output);
        }
    }
}

struct Replies;

fn shown(bytes: &[u8]) -> String {
    format!("{:?}", Bytes::copy_from_slice(bytes))[1..].to_owned()
}

impl Runner for Replies {
    type Command = Command;

    fn run(&mut self, command: &Command, _: &Context) -> Output {
        let mut bytes = BytesMut::new();
        if command.name == "nested" {
            bytes.extend_from_slice("*1\r\n".repeat(position(command, 0)?.parse()?).as_bytes());
            bytes.extend_from_slice(b":1\r\n");
        } else {
            bytes.extend_from_slice(position(command, 0)?.as_bytes());
        }
        match ReplyDecoder::default().decode(&mut bytes) {
            Ok(None) => Ok("(waiting)".into()),
            Err(fault) => Ok(format!("-{fault}")),
            Ok(Some(_)) if command.name == "nested" => Ok("read".into()),
            Ok(Some(reply)) => {
                let mut output = format!("= {reply:?}\n");
                for (name, protocol) in [("2", Protocol::Resp2), ("3", Protocol::Resp3)] {
                    let mut out = BytesMut::new();
                    resp::encode(&reply, protocol, &mut out);
                    writeln!(output, "{name} {}", shown(&out))?;
                }
                Ok(output)
            }
        }
    }
}

#[derive(Default)]
struct JsonLines {
    decoder: LineDecoder,
    buffer: BytesMut,
}

impl JsonLines {
    fn read(&mut self, text: &str) -> Output {
        self.buffer.extend_from_slice(text.as_bytes());
        let mut output = String::new();
        while let Some(line) = self.decoder.decode(&mut self.buffer) {
            match line {
                Ok(request) => writeln!(output, "{request:?}")?,
                Err(refusal) => writeln!(output, "key {:?}: {}", refusal.key, refusal.fault)?,
            }
        }
        Ok(output)
    }
}

impl Runner for JsonLines {
    type Command = Command;

    fn run(&mut self, command: &Command, _: &Context) -> Output {
        let reply = match command.name.as_str() {
            "connect" => {
                self.decoder = LineDecoder::new(number(command, "line", json::LINE_BYTES_MAX)?);
                self.buffer.clear();
                return Ok(String::new());
            }
            "read" => return self.read(position(command, 0)?),
            "answer-bytes" => Reply::bulk(vec![position(command, 1)?.parse()?]),
            _ => {
                let mut bytes = BytesMut::from(position(command, 1)?);
                ReplyDecoder::default().decode(&mut bytes)?.ok_or("not a whole reply")?
            }
        };
        let mut out = BytesMut::new();
        json::encode(position(command, 0)?, &reply, NOW_MS, &mut out);
        Ok(String::from_utf8(out.to_vec())?)
    }
}

#[test]
fn requests() {
    goldenscript::run(&mut Requests::default(), "tests/scripts/requests").unwrap();
}

#[test]
fn replies() {
    goldenscript::run(&mut Replies, "tests/scripts/replies").unwrap();
}

#[test]
fn json_lines() {
    goldenscript::run(&mut JsonLines::default(), "tests/scripts/json_lines").unwrap();
}
