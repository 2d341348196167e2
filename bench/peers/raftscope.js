// Leader crashes in raftscope's model (D. Ongaro's visualisation of Raft), run by node without its
// page: elections a second.
//
//     node bench/peers/raftscope.js CHECKOUT [ELECTIONS [DELAY_MS]]
//
// CHECKOUT is a copy of https://github.com/ongardie/raftscope; nothing of it is kept here. Its model
// has no queue of events: `raft.update(model)` looks at everything there is at the model's time. So
// this moves time on to the next moment at which anything is due, which is the fastest way to drive
// it. Timeouts are 150-300 ms; time is in microseconds. The leader stops at a random moment of its
// heartbeat interval; an election ends when the other four name a new one (its model keeps no such
// name: they have heard from it in its term). Then the old one goes on; that is not timed.
'use strict';

const fs = require('node:fs');
const path = require('node:path');
const vm = require('node:vm');

const [checkout, electionsText = '200', delayText = '5'] = process.argv.slice(2);
const elections = Number(electionsText);
const delay = Number(delayText) * 1000;
if (!checkout || !(elections >= 1) || !(delay >= 1)) {
  console.error('usage: node raftscope.js CHECKOUT [ELECTIONS [DELAY_MS]]');
  process.exit(2);
}

// The one function of jQuery that the model calls.
const $ = { map: (object, each) => Object.keys(object).map((key) => each(object[key], key)) };
const world = vm.createContext({ $, console, Math });
for (const file of ['util.js', 'raft.js']) {
  vm.runInContext(fs.readFileSync(path.join(checkout, file), 'utf8'), world, { filename: file });
}
const { raft } = vm.runInContext(
  `ELECTION_TIMEOUT = 150000; MIN_RPC_LATENCY = MAX_RPC_LATENCY = ${delay}; ({ raft })`,
  world,
);

const ids = [1, 2, 3, 4, 5];
const model = { time: 0, messages: [] };
model.servers = ids.map((id) => raft.server(id, ids.filter((other) => other !== id)));

const running = () => model.servers.filter((server) => server.state !== 'stopped');
const leaders = () => running().filter((server) => server.state === 'leader');

/** When anything is due next. */
function nextMoment() {
  let next = Infinity;
  const due = (at) => {
    if (at > model.time && at < next) next = at;
  };
  for (const message of model.messages) due(message.recvTime);
  for (const server of running()) {
    due(server.electionAlarm);
    for (const peer of server.peers) {
      if (server.state === 'candidate') due(server.rpcDue[peer]);
      if (server.state === 'leader') due(server.heartbeatDue[peer]);
    }
  }
  return next;
}

/** Twice: what is delivered changes what the rules say, at the same moment. */
function update() {
  raft.update(model);
  raft.update(model);
}

/** Whether all that run follow one leader, by its term and by a heartbeat that got through. */
function agreed() {
  const [leader, other] = leaders();
  if (!leader || other) return false;
  return running().every(
    (server) =>
      server === leader ||
      (server.state === 'follower' && server.term === leader.term && server.heardTerm === leader.term),
  );
}

// Who has heard a heartbeat of which term: noted where the model delivers it.
function note() {
  for (const message of model.messages) {
    if (message.type === 'AppendEntries' && message.direction === 'request' &&
        message.recvTime <= model.time) {
      const server = model.servers[message.to - 1];
      if (server.state !== 'stopped' && message.term >= server.term) server.heardTerm = message.term;
    }
  }
}

function advance() {
  model.time = nextMoment();
  note();
  update();
}

while (!agreed()) advance();
let took = 0n;
let simulated = 0;
for (let i = 0; i < elections; i += 1) {
  const start = process.hrtime.bigint();
  const crash = model.time + Math.random() * 75000;
  while (nextMoment() < crash) advance();
  model.time = crash;
  const [leader] = leaders();
  raft.stop(model, leader);
  while (!agreed()) advance();
  took += process.hrtime.bigint() - start;
  simulated += model.time - crash;
  raft.resume(model, leader);
  for (const rest = model.time + 150000; model.time < rest || !agreed(); ) advance();
}
const seconds = Number(took) / 1e9;
console.log(
  `elections ${elections} seconds ${seconds.toFixed(9)} mean_ms ${(simulated / elections / 1000).toFixed(4)}`,
);
