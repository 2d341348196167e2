//! The reference model in Stateright: Raft's election in a dozen lines, three nodes.
//!
//!     reference-model VARIANT T THREADS [open]
//!
//! VARIANT is base, loss, dup, restart or amnesia; T is the highest term. One line comes out:
//! states, seconds, peak bytes and, if two leaders of one term were found, the steps to them.
//! `open` adds a property that is never violated, so that the search goes on after a discovery.
use std::time::Instant;

use stateright::{Checker, Model, Property};

const NODES: u8 = 3;
const NOBODY: u8 = NODES;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Role {
    Follower,
    Candidate,
    Leader,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Node {
    term: u8,
    role: Role,
    voted_for: u8,
    votes: u8, // a bit for each node
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Body {
    VoteRequest,
    VoteReply { granted: bool },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Message {
    from: u8,
    to: u8,
    term: u8,
    body: Body,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct State {
    nodes: [Node; NODES as usize],
    network: Vec<Message>, // sorted; with `dup` each at most once
    restarts: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Timeout(u8),
    Deliver(Message),
    Drop(Message),
    Restart(u8),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Variant {
    Base,
    Loss,
    Dup,
    Restart,
    Amnesia,
}

struct Election {
    variant: Variant,
    highest_term: u8,
    open: bool,
}

impl Election {
    fn send(&self, network: &mut Vec<Message>, message: Message) {
        match network.binary_search(&message) {
            Ok(_) if self.variant == Variant::Dup => {}
            Ok(place) | Err(place) => network.insert(place, message),
        }
    }

    fn deliver(&self, state: &mut State, message: Message) {
        if self.variant != Variant::Dup {
            take(&mut state.network, &message);
        }
        let node = &mut state.nodes[message.to as usize];
        if message.term > node.term {
            *node = Node {
                term: message.term,
                role: Role::Follower,
                voted_for: NOBODY,
                votes: 0,
            };
        }
        match message.body {
            Body::VoteRequest => {
                let granted = message.term == node.term
                    && (node.voted_for == NOBODY || node.voted_for == message.from);
                if granted {
                    node.voted_for = message.from;
                }
                let reply = Message {
                    from: message.to,
                    to: message.from,
                    term: node.term,
                    body: Body::VoteReply { granted },
                };
                self.send(&mut state.network, reply);
            }
            Body::VoteReply { granted } => {
                if node.role == Role::Candidate && message.term == node.term && granted {
                    node.votes |= 1 << message.from;
                    if node.votes.count_ones() > NODES as u32 / 2 {
                        node.role = Role::Leader;
                    }
                }
            }
        }
    }
}

fn take(network: &mut Vec<Message>, message: &Message) {
    let place = network.binary_search(message).expect("a message in flight");
    network.remove(place);
}

fn one_leader_per_term(_: &Election, state: &State) -> bool {
    let nodes = &state.nodes;
    !nodes.iter().enumerate().any(|(i, a)| {
        a.role == Role::Leader
            && nodes[i + 1..]
                .iter()
                .any(|b| b.role == Role::Leader && b.term == a.term)
    })
}

fn within_terms(model: &Election, state: &State) -> bool {
    state
        .nodes
        .iter()
        .all(|node| node.term <= model.highest_term)
}

impl Model for Election {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let node = Node {
            term: 0,
            role: Role::Follower,
            voted_for: NOBODY,
            votes: 0,
        };
        vec![State {
            nodes: [node; NODES as usize],
            network: Vec::new(),
            restarts: 0,
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        for (i, node) in (0..).zip(&state.nodes) {
            if node.role != Role::Leader && node.term < self.highest_term {
                actions.push(Action::Timeout(i));
            }
        }
        for (i, message) in state.network.iter().enumerate() {
            if i > 0 && state.network[i - 1] == *message {
                continue; // another copy
            }
            actions.push(Action::Deliver(*message));
            if self.variant == Variant::Loss {
                actions.push(Action::Drop(*message));
            }
        }
        if matches!(self.variant, Variant::Restart | Variant::Amnesia) && state.restarts == 0 {
            actions.extend((0..NODES).map(Action::Restart));
        }
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        let mut next = state.clone();
        match action {
            Action::Timeout(i) => {
                let node = &mut next.nodes[i as usize];
                let term = node.term + 1;
                *node = Node {
                    term,
                    role: Role::Candidate,
                    voted_for: i,
                    votes: 1 << i,
                };
                for to in (0..NODES).filter(|to| *to != i) {
                    let request = Message {
                        from: i,
                        to,
                        term,
                        body: Body::VoteRequest,
                    };
                    self.send(&mut next.network, request);
                }
            }
            Action::Deliver(message) => self.deliver(&mut next, message),
            Action::Drop(message) => take(&mut next.network, &message),
            Action::Restart(i) => {
                let node = &mut next.nodes[i as usize];
                node.role = Role::Follower;
                node.votes = 0;
                if self.variant == Variant::Amnesia {
                    node.voted_for = NOBODY;
                }
                next.restarts = 1;
            }
        }
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut properties = vec![Property::always("one leader per term", one_leader_per_term)];
        if self.open {
            properties.push(Property::always("within the highest term", within_terms));
        }
        properties
    }
}

/// The most memory that this process ever had, as Linux tells it.
fn peak_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let kilobytes = line
        .and_then(|line| line.split_whitespace().nth(1))
        .and_then(|n| n.parse().ok());
    kilobytes.unwrap_or(0) * 1024
}

/// Processor time of all threads: fields 14 and 15, in hundredths of a second.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or("");
    let ticks = after_name.split_whitespace().skip(11).take(2);
    ticks.filter_map(|n| n.parse::<f64>().ok()).sum::<f64>() / 100.0
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let usage = "reference-model base|loss|dup|restart|amnesia T THREADS [open]";
    assert!(arguments.len() >= 4, "{usage}");
    let variant = match arguments[1].as_str() {
        "base" => Variant::Base,
        "loss" => Variant::Loss,
        "dup" => Variant::Dup,
        "restart" => Variant::Restart,
        "amnesia" => Variant::Amnesia,
        _ => panic!("{usage}"),
    };
    let highest_term = arguments[2].parse().expect(usage);
    let threads = arguments[3].parse().expect(usage);
    let open = arguments.get(4).is_some_and(|word| word == "open");

    let start = Instant::now();
    let checker = Election {
        variant,
        highest_term,
        open,
    }
    .checker()
    .threads(threads)
    .spawn_bfs()
    .join();
    let seconds = start.elapsed().as_secs_f64();
    print!(
        "states {} seconds {seconds:.6}",
        checker.unique_state_count()
    );
    print!(" cpu_seconds {:.2} peak_bytes {}", cpu_seconds(), peak_bytes());
    if let Some(path) = checker.discovery("one leader per term") {
        print!(" steps {}", path.into_actions().len());
    }
    println!();
}
