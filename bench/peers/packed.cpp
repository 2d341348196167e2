// The reference model searched by a program written for it alone: three nodes, terms up to 2, no
// faults. A state is 16 bytes: three nodes of 9 bits, and the messages in flight, a byte each, in
// descending order. What is kept of a state is its fingerprint, its number and its parent's.
//
//     packed T          prints: states, transitions, terminal states, seconds, peak bytes
#include <sys/resource.h>

#include <bit>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <vector>

namespace {

__extension__ typedef unsigned __int128 State;  // bytes 0 to 11: messages, 0 where there is none; above: nodes
constexpr int messages_end = 96;

enum Role : unsigned { follower, candidate, leader };

// term: 2 bits, role: 2, voted_for: 2 (node i is i + 1, nobody 0), votes: 3
struct Node {
    unsigned term, role, voted_for, votes;
};
Node node_of(State s, unsigned i) {
    const auto bits = static_cast<unsigned>(s >> (messages_end + 9 * i)) & 0x1ff;
    return {bits & 3, bits >> 2 & 3, bits >> 4 & 3, bits >> 6};
}
State with(State s, unsigned i, Node n) {
    const unsigned bits = n.term | n.role << 2 | n.voted_for << 4 | n.votes << 6;
    const unsigned shift = messages_end + 9 * i;
    return (s & ~(State{0x1ff} << shift)) | State{bits} << shift;
}

// sender: 2 bits, receiver: 2, reply: 1, term: 2 (never 0), granted: 1
unsigned message(unsigned from, unsigned to, unsigned term, bool reply, bool granted) {
    return from << 5 | to << 3 | term << 1 | unsigned{reply} << 7 | unsigned{granted};
}

// How many of eight bytes are at least `code`; no byte of a word has its highest bit set in `low`.
unsigned at_least(std::uint64_t word, unsigned code) {
    constexpr std::uint64_t ones = 0x0101'0101'0101'0101, tops = ones << 7;
    const std::uint64_t low = word & ~tops, wanted = ones * (code & 0x7f);
    const std::uint64_t low_fits = ((low | tops) - wanted) & tops;
    const std::uint64_t fits = (code & 0x80) != 0 ? (word & low_fits) : (word | low_fits);
    return static_cast<unsigned>(std::popcount(fits & tops));
}
State put(State s, unsigned code) {
    constexpr State all = (State{1} << messages_end) - 1;
    const unsigned place = 8 * (at_least(static_cast<std::uint64_t>(s), code) +
                                at_least(static_cast<std::uint64_t>((s & all) >> 64), code));
    const State before = (State{1} << place) - 1;
    return (s & ~all) | (s & before) | State{code} << place | (s & all & ~before) << 8;
}
State take(State s, unsigned place) {
    constexpr State all = (State{1} << messages_end) - 1;
    const State before = (State{1} << 8 * place) - 1;
    return (s & ~all) | (s & before) | ((s & all) >> 8 & ~before);
}

State timeout(State s, unsigned i, Node n) {
    const unsigned term = n.term + 1;
    s = with(s, i, {term, candidate, i + 1, 1U << i});
    s = put(s, message(i, (i + 1) % 3, term, false, false));
    return put(s, message(i, (i + 2) % 3, term, false, false));
}

State deliver(State s, unsigned place, unsigned code) {
    const unsigned from = code >> 5 & 3, to = code >> 3 & 3, term = code >> 1 & 3;
    s = take(s, place);
    Node n = node_of(s, to);
    if (term > n.term) {
        n = {term, follower, 0, 0};
    }
    if ((code & 0x80) == 0) {
        const bool granted = term == n.term && (n.voted_for == 0 || n.voted_for == from + 1);
        if (granted) {
            n.voted_for = from + 1;
        }
        s = put(s, message(to, from, n.term, true, granted));
    } else if (n.role == candidate && term == n.term && (code & 1) != 0) {
        n.votes |= 1U << from;
        if (std::popcount(n.votes) > 1) {
            n.role = leader;
        }
    }
    return with(s, to, n);
}

bool one_leader_per_term(State s) {
    const Node a = node_of(s, 0), b = node_of(s, 1), c = node_of(s, 2);
    const auto clash = [](Node x, Node y) {
        return x.role == leader && y.role == leader && x.term == y.term;
    };
    return !clash(a, b) && !clash(a, c) && !clash(b, c);
}

std::uint64_t fingerprint(State s) {
    const auto mix = [](std::uint64_t z) {
        z = (z ^ (z >> 30)) * 0xbf58'476d'1ce4'e5b9;
        z = (z ^ (z >> 27)) * 0x94d0'49bb'1331'11eb;
        return z ^ (z >> 31);
    };
    const auto low = static_cast<std::uint64_t>(s), high = static_cast<std::uint64_t>(s >> 64);
    return mix(low + 0x9e37'79b9'7f4a'7c15 * mix(high + 1)) | 1;  // 0 is a free place
}

class Visited {
public:
    void prefetch(std::uint64_t f) const { __builtin_prefetch(&fingerprints_[f >> shift_]); }
    /// Whether it was not there yet; then its number is the last one.
    bool add(std::uint64_t f, std::uint32_t parent) {
        std::size_t i = f >> shift_;
        for (; fingerprints_[i] != 0; i = (i + 1) & (fingerprints_.size() - 1)) {
            if (fingerprints_[i] == f) {
                return false;
            }
        }
        fingerprints_[i] = f;
        numbers_[i] = static_cast<std::uint32_t>(parents_.size());
        parents_.push_back(parent);
        if (parents_.size() * 4 > fingerprints_.size() * 3) {
            grow();
        }
        return true;
    }
    [[nodiscard]] std::size_t size() const { return parents_.size(); }

private:
    void grow() {
        const auto old = std::move(fingerprints_);
        const auto old_numbers = std::move(numbers_);
        --shift_;
        fingerprints_.assign(old.size() * 2, 0);
        numbers_.resize(old.size() * 2);
        for (std::size_t k = 0; k < old.size(); ++k) {
            if (old[k] != 0) {
                std::size_t i = old[k] >> shift_;
                while (fingerprints_[i] != 0) {
                    i = (i + 1) & (fingerprints_.size() - 1);
                }
                fingerprints_[i] = old[k];
                numbers_[i] = old_numbers[k];
            }
        }
    }
    int shift_ = 64 - 10;
    std::vector<std::uint64_t> fingerprints_ = std::vector<std::uint64_t>(1024);
    std::vector<std::uint32_t> numbers_ = std::vector<std::uint32_t>(1024);
    std::vector<std::uint32_t> parents_;
};

}  // namespace

int main(int argc, char** argv) {
    const unsigned highest = argc > 1 ? static_cast<unsigned>(std::atoi(argv[1])) : 2;
    if (highest < 1 || highest > 2) {
        std::fprintf(stderr, "packed 1|2\n");
        return 2;
    }
    const auto start = std::chrono::steady_clock::now();
    struct Waiting {
        State state;
        std::uint64_t fingerprint;
        std::uint32_t parent;
    };
    // States that wait for their place in the table to come from memory, first in first out.
    constexpr std::size_t most = 32;
    Waiting ring[most];
    std::size_t first = 0, last = 0;
    Visited visited;
    std::vector<State> level{0}, next;
    std::uint64_t transitions = 0, terminal = 0, violations = 0;
    const auto look_up = [&] {
        const Waiting& w = ring[first++ % most];
        if (visited.add(w.fingerprint, w.parent)) {
            next.push_back(w.state);
            violations += !one_leader_per_term(w.state);
        }
    };
    visited.add(fingerprint(0), 0);
    for (std::uint32_t number = 0; !level.empty(); level.swap(next)) {
        next.clear();
        for (const State s : level) {
            const std::uint64_t before = transitions;
            const auto found = [&](State state) {
                if (last - first == most) {
                    look_up();
                }
                Waiting& w = ring[last++ % most];
                w = {state, fingerprint(state), number};
                visited.prefetch(w.fingerprint);
                ++transitions;
            };
            for (unsigned i = 0; i < 3; ++i) {
                const Node n = node_of(s, i);
                if (n.role != leader && n.term < highest) {
                    found(timeout(s, i, n));
                }
            }
            unsigned previous = 0;
            for (unsigned place = 0; place < messages_end / 8; ++place) {
                const auto code = static_cast<unsigned>(s >> 8 * place) & 0xff;
                if (code == 0) {
                    break;
                }
                if (code != previous) {  // not another copy
                    found(deliver(s, place, code));
                }
                previous = code;
            }
            terminal += transitions == before;
            ++number;
        }
        while (first != last) {
            look_up();
        }
    }
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    std::printf("states %zu transitions %llu terminal %llu seconds %.6f cpu_seconds %.6f "
                "peak_bytes %lld\n",
                visited.size(), static_cast<unsigned long long>(transitions),
                static_cast<unsigned long long>(terminal), seconds.count(),
                static_cast<double>(std::clock()) / CLOCKS_PER_SEC,
                static_cast<long long>(usage.ru_maxrss) * 1024);
    return violations == 0 ? 0 : 1;
}
