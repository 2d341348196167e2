//! Figure 16's experiment as an event loop in plain Rust: a binary heap from the standard library,
//! five servers, every message, and every heartbeat and its answer. No crate.
//!
//!     rust_loop [TRIALS [DELAY_MS [SEED [FILE]]]]
//!
//! At time 0 all have just handled a heartbeat of server 0, which crashes within 75 ms. Servers 3
//! and 4 have shorter logs. Timeouts are uniform in 150-300 ms; a message takes DELAY_MS. A trial
//! ends when all four survivors name a new leader. FILE gets the times since the crash as doubles.
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::Write;
use std::time::Instant;

const NODES: usize = 5;
const NOBODY: usize = NODES;
const LOW: u64 = 150_000_000;
const HIGH: u64 = 300_000_000;
const HEARTBEAT: u64 = LOW / 2;
const LOGS: [(u64, u64); NODES] = [(1, 2), (1, 2), (1, 2), (1, 1), (1, 1)];

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        // SplitMix64: Steele, Lea and Flood, OOPSLA 2014
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    fn between(&mut self, low: u64, high: u64) -> u64 {
        low + ((u128::from(self.next()) * u128::from(high - low + 1)) >> 64) as u64
    }
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Election(u64), // which arming
    Heartbeat(u64),
    Request { term: u64, log: (u64, u64) },
    Vote { term: u64, granted: bool },
    Append { term: u64 },
    Appended { term: u64 },
    Crash,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Event {
    at: u64,
    order: u64,
    from: usize,
    to: usize,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Follower,
    Candidate,
    Leader,
}

#[derive(Clone, Copy)]
struct Node {
    up: bool,
    role: Role,
    term: u64,
    voted_for: usize,
    leader: usize,
    votes: u8, // a bit for each
    armed: u64,
    beats: u64,
}

struct Cluster {
    now: u64,
    order: u64,
    delay: u64,
    queue: BinaryHeap<Reverse<Event>>,
    nodes: [Node; NODES],
    random: Random,
}

impl Cluster {
    fn push(&mut self, wait: u64, from: usize, to: usize, kind: Kind) {
        self.order += 1;
        self.queue.push(Reverse(Event { at: self.now + wait, order: self.order, from, to, kind }));
    }

    fn send(&mut self, from: usize, to: usize, kind: Kind) {
        self.push(self.delay, from, to, kind);
    }

    fn send_all(&mut self, from: usize, kind: Kind) {
        for to in (0..NODES).filter(|&to| to != from) {
            self.send(from, to, kind);
        }
    }

    fn await_leader(&mut self, i: usize) {
        self.nodes[i].armed += 1;
        let wait = self.random.between(LOW, HIGH);
        self.push(wait, i, i, Kind::Election(self.nodes[i].armed));
    }

    fn beat(&mut self, i: usize) {
        let term = self.nodes[i].term;
        self.send_all(i, Kind::Append { term });
        self.nodes[i].beats += 1;
        self.push(HEARTBEAT, i, i, Kind::Heartbeat(self.nodes[i].beats));
    }

    fn adopt(&mut self, i: usize, term: u64) {
        if term > self.nodes[i].term {
            if self.nodes[i].role == Role::Leader {
                self.nodes[i].beats += 1;
                self.await_leader(i);
            }
            let n = &mut self.nodes[i];
            n.term = term;
            n.role = Role::Follower;
            n.voted_for = NOBODY;
            n.leader = NOBODY;
        }
    }

    fn handle(&mut self, e: Event) {
        let i = e.to;
        if !self.nodes[i].up {
            return;
        }
        match e.kind {
            Kind::Crash => self.nodes[i].up = false,
            Kind::Election(armed) => {
                if armed == self.nodes[i].armed {
                    let n = &mut self.nodes[i];
                    n.role = Role::Candidate;
                    n.term += 1;
                    n.voted_for = i;
                    n.leader = NOBODY;
                    n.votes = 1 << i;
                    let term = n.term;
                    self.await_leader(i);
                    self.send_all(i, Kind::Request { term, log: LOGS[i] });
                }
            }
            Kind::Heartbeat(beats) => {
                if beats == self.nodes[i].beats {
                    self.beat(i);
                }
            }
            Kind::Request { term, log } => {
                self.adopt(i, term);
                let n = &mut self.nodes[i];
                let granted = term == n.term
                    && (n.voted_for == NOBODY || n.voted_for == e.from)
                    && log >= LOGS[i];
                let term = n.term;
                if granted {
                    n.voted_for = e.from;
                    self.await_leader(i);
                }
                self.send(i, e.from, Kind::Vote { term, granted });
            }
            Kind::Vote { term, granted } => {
                self.adopt(i, term);
                let n = &mut self.nodes[i];
                if granted && n.role == Role::Candidate && term == n.term {
                    n.votes |= 1 << e.from;
                    if n.votes.count_ones() as usize > NODES / 2 {
                        n.role = Role::Leader;
                        n.leader = i;
                        n.armed += 1;
                        self.beat(i);
                    }
                }
            }
            Kind::Append { term } => {
                self.adopt(i, term);
                if term == self.nodes[i].term {
                    self.nodes[i].role = Role::Follower;
                    self.nodes[i].leader = e.from;
                    self.await_leader(i);
                }
                let term = self.nodes[i].term;
                self.send(i, e.from, Kind::Appended { term });
            }
            Kind::Appended { term } => self.adopt(i, term),
        }
    }

    fn agreed(&self) -> bool {
        let leader = self.nodes[1].leader;
        leader != NOBODY
            && self.nodes[leader].up
            && self.nodes[leader].role == Role::Leader
            && self.nodes[1..].iter().all(|n| n.leader == leader)
    }

    fn trial(&mut self) -> u64 {
        self.now = 0;
        self.order = 0;
        self.queue.clear();
        self.nodes = [Node {
            up: true,
            role: Role::Follower,
            term: 1,
            voted_for: 0,
            leader: 0,
            votes: 0,
            armed: 0,
            beats: 0,
        }; NODES];
        self.nodes[0].role = Role::Leader;
        self.push(HEARTBEAT, 0, 0, Kind::Heartbeat(0));
        for i in 1..NODES {
            self.await_leader(i);
        }
        let crash = self.random.between(0, HEARTBEAT);
        self.push(crash, 0, 0, Kind::Crash);
        loop {
            let Reverse(event) = self.queue.pop().expect("timers never end");
            self.now = event.at;
            self.handle(event);
            if self.agreed() {
                return self.now - crash;
            }
        }
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let number = |i: usize, otherwise: f64| -> f64 {
        arguments.get(i).map_or(otherwise, |s| s.parse().expect("a number"))
    };
    let trials = number(1, 200_000.0) as usize;
    let mut cluster = Cluster {
        now: 0,
        order: 0,
        delay: (number(2, 5.0) * 1e6) as u64,
        queue: BinaryHeap::new(),
        nodes: [Node {
            up: true,
            role: Role::Follower,
            term: 1,
            voted_for: 0,
            leader: 0,
            votes: 0,
            armed: 0,
            beats: 0,
        }; NODES],
        random: Random(number(3, 1.0) as u64),
    };
    let start = Instant::now();
    let times: Vec<f64> = (0..trials).map(|_| cluster.trial() as f64 / 1e6).collect();
    let seconds = start.elapsed().as_secs_f64();
    let mean = times.iter().sum::<f64>() / trials as f64;
    println!("elections {trials} seconds {seconds:.9} mean_ms {mean:.4}");
    if let Some(path) = arguments.get(4) {
        let mut file = std::fs::File::create(path).expect("a file that can be written");
        let bytes: Vec<u8> = times.iter().flat_map(|t| t.to_ne_bytes()).collect();
        file.write_all(&bytes).expect("room for the times");
    }
}
