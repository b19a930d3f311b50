// ioredis, alone and as a cluster client. Prints one line a case, `ok NAME` or `FAILED NAME: why`; its arguments are the
// folder where ioredis is installed, and the ports of the nodes.
//
// 1. A case that does not end in time has failed, and so has one that never began.

import assert from "node:assert/strict";
import { createRequire } from "node:module";

// Modules are installed apart from the sources; a bare import would look beside this file.
const { Redis, Cluster } = createRequire(`${process.argv[2]}/`)("ioredis");

const CASE_SECONDS_MAX = 60;
const KEYS = 1000;
// Increments of one key are done one after the other, each with a sync to the disk, and the last must not wait too long.
const INCREMENTS = 200;
const ports = process.argv.slice(3).map(Number);
const opened = [];
let failed = 0;

function alone(node, more = {}) {
  return watched(new Redis({ host: "127.0.0.1", port: ports[node], ...more }));
}

function cluster(node, more = {}) {
  return watched(new Cluster([{ host: "127.0.0.1", port: ports[node] }], more));
}

// An error event without a listener is printed and no more: here it fails the case that comes after it.
function watched(client) {
  client.on("error", (error) => client.errors.push(error));
  client.errors = [];
  opened.push(client);
  return client;
}

async function check(name, body) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done after ${CASE_SECONDS_MAX} s`)), CASE_SECONDS_MAX * 1000);
  });
  try {
    await Promise.race([body(), late]);
    assert.deepEqual(opened.flatMap((client) => client.errors), []);
    console.log(`ok ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`FAILED ${name}: ${String(error.stack ?? error).replaceAll("\n", " | ")}`);
  } finally {
    clearTimeout(timer);
    for (const client of opened.splice(0)) client.disconnect();
  }
}

const range = (count) => Array.from({ length: count }, (_, number) => number);

await check("strings and counters at any node", async () => {
  const [first, second, third] = range(3).map((node) => alone(node));
  assert.equal(await first.set("io:k", "v"), "OK");
  assert.equal(await third.get("io:k"), "v");
  assert.equal(await second.get("io:none"), null);
  assert.equal(await second.set("io:k", "w", "NX"), null);
  assert.equal(await second.incrby("io:n", 5), 5);
  assert.equal(await third.decr("io:n"), 4);
  assert.equal(await first.incrbyfloat("io:f", 1.5), "1.5");
  assert.equal(await first.mset({ "io:a": 1, "io:b": 2 }), "OK");
  assert.deepEqual(await second.mget("io:a", "io:none", "io:b"), ["1", null, "2"]);
  assert.equal(await third.append("io:k", "!"), 2);
  assert.equal(await first.getrange("io:k", 0, -1), "v!");
  assert.equal(await first.del("io:k", "io:none"), 1);
  assert.equal(await second.exists("io:k"), 0);
  assert.equal(await first.type("io:a"), "string");
});

await check("buffers are kept as they are", async () => {
  const every = Buffer.from(range(256));
  assert.equal(await alone(0).set(every, every), "OK");
  assert.deepEqual(await alone(2).getBuffer(every), every);
});

await check("a pipeline answers in order", async () => {
  const pipeline = alone(0).pipeline();
  for (const number of range(KEYS)) pipeline.set(`io:p:${number}`, number).get(`io:p:${number}`);
  const answers = await pipeline.exec();
  assert.deepEqual(answers, range(KEYS).flatMap((number) => [[null, "OK"], [null, String(number)]]));
});

await check("requests without waiting, by automatic pipelining", async () => {
  const client = alone(1, { enableAutoPipelining: true });
  await Promise.all(range(KEYS).map((number) => client.set(`io:auto:${number}`, number)));
  const read = await Promise.all(range(KEYS).map((number) => client.get(`io:auto:${number}`)));
  assert.deepEqual(read, range(KEYS).map(String));
  const counted = await Promise.all(range(INCREMENTS).map(() => client.incr("io:auto:n")));
  assert.deepEqual(counted.sort((a, b) => a - b), range(INCREMENTS).map((number) => number + 1));
});

await check("a scan as a stream", async () => {
  const seen = new Set();
  for await (const keys of alone(2).scanStream({ match: "io:p:*", count: 100 })) keys.forEach((key) => seen.add(key));
  assert.deepEqual([...seen].sort(), range(KEYS).map((number) => `io:p:${number}`).sort());
});

await check("an unknown command leaves the connection", async () => {
  const client = alone(0);
  const id = await client.client("ID");
  await assert.rejects(client.call("NOSUCH", "a"), /^ReplyError: ERR unknown command 'NOSUCH', with args beginning with: 'a'/);
  await assert.rejects(client.incr("io:p:1", "x"), /wrong number of arguments/);
  assert.equal(await client.client("ID"), id);
});

await check("databases and names", async () => {
  const other = alone(1, { db: 3, connectionName: "io" });
  assert.equal(await other.set("io:db", "three"), "OK");
  assert.equal(await alone(0).get("io:db"), null);
  assert.equal(await other.client("GETNAME"), "io");
});

await check("the cluster client finds all nodes from any", async () => {
  for (const node of range(3)) {
    const client = cluster(node);
    assert.equal(await client.set(`io:c:${node}`, node), "OK");
    await client.get(`io:c:${node}`);
    const found = client.nodes("all").map((each) => each.options.port).sort();
    assert.deepEqual(found, ports);
    assert.equal(client.slots.filter(Boolean).length, 16384);
  }
});

await check("the cluster client over keys of all slots", async () => {
  const [writer, reader] = [cluster(0), cluster(2, { scaleReads: "all" })];
  await Promise.all(range(KEYS).map((number) => writer.set(`io:all:${number}`, number)));
  const read = await Promise.all(range(KEYS).map((number) => reader.get(`io:all:${number}`)));
  assert.deepEqual(read, range(KEYS).map(String));
  await Promise.all(range(INCREMENTS).map(() => writer.incr("io:all:n")));
  assert.equal(await reader.get("io:all:n"), String(INCREMENTS));
});

await check("the cluster client's pipeline", async () => {
  const client = cluster(1);
  const pipeline = client.pipeline();
  for (const number of range(KEYS)) pipeline.set(`{io}:${number}`, number).get(`{io}:${number}`);
  const answers = await pipeline.exec();
  assert.deepEqual(answers, range(KEYS).flatMap((number) => [[null, "OK"], [null, String(number)]]));
  assert.deepEqual(await client.mget("{io}:1", "{io}:2", "{io}:none"), ["1", "2", null]);
});

await check("the cluster client with automatic pipelining", async () => {
  const client = cluster(0, { enableAutoPipelining: true });
  await Promise.all(range(KEYS).map((number) => client.set(`io:ca:${number}`, number)));
  const read = await Promise.all(range(KEYS).map((number) => client.get(`io:ca:${number}`)));
  assert.deepEqual(read, range(KEYS).map(String));
});

process.exit(failed ? 1 : 0);
