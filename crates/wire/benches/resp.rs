//! How long a request takes to read and an answer to write.

use std::hint::black_box;

use bytes::{Bytes, BytesMut};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use wire::Reply;
use wire::resp::{Decoder, Protocol, ReplyDecoder, encode, encode_request};

/// Requests in one read buffer of about 16 KiB, as pipelining clients send them.
const PIPELINE: usize = 100;

fn pipeline(arguments: &[&[u8]]) -> BytesMut {
    let mut bytes = BytesMut::new();
    for _ in 0..PIPELINE {
        encode_request(arguments, &mut bytes);
    }
    bytes
}

fn decode_all(decoder: &mut Decoder, buffer: &mut BytesMut) -> usize {
    let mut requests = 0;
    while let Ok(Some(arguments)) = decoder.decode(buffer) {
        black_box(arguments);
        requests += 1;
    }
    requests
}

fn decode(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decode");
    let value = [b'v'; 100];
    let set = pipeline(&[b"SET", b"key:000000012345", &value]);
    let get = pipeline(&[b"GET", b"key:000000012345"]);
    for (name, bytes) in [("set 100 B", set), ("get", get)] {
        group.throughput(Throughput::Elements(PIPELINE as u64));
        let mut decoder = Decoder::default();
        // The buffer is filled by copying, as a socket's read would fill it; the copy is part of the figure.
        let mut buffer = BytesMut::with_capacity(bytes.len());
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                buffer.reserve(bytes.len());
                buffer.extend_from_slice(&bytes);
                assert_eq!(decode_all(&mut decoder, &mut buffer), PIPELINE);
            });
        });
    }
    group.throughput(Throughput::Elements(1));
    let mut single = BytesMut::new();
    encode_request(&[b"SET".as_slice(), b"key:000000012345", &value], &mut single);
    let mut decoder = Decoder::default();
    let mut buffer = BytesMut::with_capacity(16 * 1024);
    group.bench_function("set 100 B alone", |bencher| {
        bencher.iter(|| {
            buffer.reserve(single.len());
            buffer.extend_from_slice(&single);
            black_box(decoder.decode(&mut buffer))
        });
    });
    group.finish();
}

fn decode_large(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decode 1 MiB in reads of 16 KiB");
    let mut bytes = BytesMut::new();
    encode_request(&[b"SET".as_slice(), b"k", &vec![b'v'; 1024 * 1024]], &mut bytes);
    group.throughput(Throughput::Bytes(bytes.len() as u64));
    group.bench_function("set", |bencher| {
        bencher.iter_batched(
            || (Decoder::default(), BytesMut::new()),
            |(mut decoder, mut buffer)| {
                let mut requests = 0;
                for read in bytes.chunks(16 * 1024) {
                    buffer.extend_from_slice(read);
                    requests += decode_all(&mut decoder, &mut buffer);
                }
                assert_eq!(requests, 1);
            },
            BatchSize::SmallInput,
        );
    });
    group.finish();
}

fn encode_replies(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("encode");
    let mut out = BytesMut::with_capacity(64 * 1024);
    for (name, reply) in [
        ("ok", Reply::ok()),
        ("integer", Reply::Integer(1_234_567)),
        ("bulk 100 B", Reply::bulk(Bytes::from_static(&[b'v'; 100]))),
        ("nil", Reply::Nil),
    ] {
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                out.clear();
                encode(black_box(&reply), Protocol::Resp2, &mut out);
            });
        });
    }
    group.finish();
}

fn decode_reply(criterion: &mut Criterion) {
    let mut bytes = BytesMut::new();
    encode(&Reply::bulk(Bytes::from_static(&[b'v'; 100])), Protocol::Resp2, &mut bytes);
    let mut decoder = ReplyDecoder::default();
    let mut buffer = BytesMut::with_capacity(16 * 1024);
    criterion.bench_function("decode reply/bulk 100 B", |bencher| {
        bencher.iter(|| {
            buffer.extend_from_slice(&bytes);
            black_box(decoder.decode(&mut buffer))
        });
    });
}

criterion_group!(benches, decode, decode_large, encode_replies, decode_reply);
criterion_main!(benches);
