// Figure 16's experiment written by hand, and good for nothing else: what a program can do that
// knows the protocol, the fault and the latencies beforehand.
//
//     figure16 TRIALS [delay_ms [write_ms [seed [low_ms [high_ms [FILE]]]]]]
//
// Five servers have just handled a heartbeat; the leader crashes within the next half of the minimum
// timeout. Two of the four survivors have shorter logs. A trial ends when all four name a new
// leader. A message takes `delay_ms`, a durable write `write_ms`, in which its server handles
// nothing. FILE gets the times since the crash as doubles, in ms.
//
// What it may leave out because latencies are constant and a round trip is short beside a heartbeat:
// messages to the dead, answers to heartbeats, a second heartbeat, and a heap: what is under way is
// nearly sorted, so the next event is found at the end of an array.
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

namespace {

using Nanoseconds = std::int64_t;
constexpr Nanoseconds never = INT64_MAX;
constexpr int survivors = 4, votes_needed = 3, nobody = -1;
constexpr bool has_long_log[survivors] = {true, true, false, false};

/// Steele, Lea and Flood's SplitMix64.
class Random {
public:
    explicit Random(std::uint64_t seed) : state_(seed) {}
    Nanoseconds between(Nanoseconds low, Nanoseconds high) {
        __extension__ using Wide = unsigned __int128;
        const auto span = static_cast<std::uint64_t>(high - low) + 1;
        return low + static_cast<Nanoseconds>(static_cast<Wide>(next()) * span >> 64);
    }

private:
    std::uint64_t next() {
        std::uint64_t z = state_ += 0x9e3779b97f4a7c15ULL;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
        return z ^ (z >> 31);
    }
    std::uint64_t state_;
};

enum class Kind : std::uint8_t { request, granted, refused, heartbeat, timeout };
enum class Role : std::uint8_t { follower, candidate, leader };

struct Event {
    Nanoseconds at;
    std::int32_t term;  // of a timeout: which arming
    Kind kind;
    std::int8_t from, to;
};

/// Events to come, the latest first. Newcomers are nearly always among the latest.
class Line {
public:
    void clear() { first_ = last_ = room / 2; }
    [[nodiscard]] Nanoseconds next() const { return first_ == last_ ? never : events_[first_].at; }
    Event pop() { return events_[first_++]; }
    void push(const Event& event) {
        if (last_ == room) {
            compact();
        }
        std::size_t hole = last_++;
        for (; hole > first_ && events_[hole - 1].at > event.at; --hole) {
            events_[hole] = events_[hole - 1];
        }
        events_[hole] = event;
    }

private:
    static constexpr std::size_t room = 256;
    void compact() {
        if (first_ == 0) {
            std::abort();  // 256 messages among four servers
        }
        for (std::size_t i = first_; i < last_; ++i) {
            events_[i - first_] = events_[i];
        }
        last_ -= first_;
        first_ = 0;
    }
    std::array<Event, room> events_;
    std::size_t first_ = 0, last_ = 0;
};

struct Server {
    Nanoseconds timeout, busy_until;
    std::int32_t term, armed;
    std::int8_t voted_for, leader, votes;
    Role role;
};

class Experiment {
public:
    Experiment(Nanoseconds delay, Nanoseconds write, Nanoseconds low, Nanoseconds high,
               std::uint64_t seed)
        : delay_(delay), write_(write), low_(low), high_(high), random_(seed) {}

    /// Time from the crash until all survivors name a new leader, ns.
    Nanoseconds trial() {
        const Nanoseconds crash = random_.between(0, low_ / 2);
        line_.clear();
        for (Server& s : servers_) {
            s = {random_.between(low_, high_), 0, 1, 0, nobody, nobody, 0, Role::follower};
        }
        for (;;) {
            int first = 0;
            for (int i = 1; i < survivors; ++i) {
                first = servers_[i].timeout < servers_[first].timeout ? i : first;
            }
            if (servers_[first].timeout < line_.next()) {
                expire(first);
            } else if (handle(line_.pop())) {
                return now_ - crash;
            }
        }
    }

private:
    void expire(int self) {
        Server& s = servers_[self];
        now_ = s.timeout;
        if (s.busy_until > now_) {  // it waits its turn, and lapses if it is set anew meanwhile
            line_.push({s.busy_until, s.armed, Kind::timeout, nobody, static_cast<std::int8_t>(self)});
            s.timeout = never;
        } else {
            stand(s, self);
        }
    }

    void arm(Server& s) {
        s.timeout = now_ + random_.between(low_, high_);
        ++s.armed;
    }

    void stand(Server& s, int self) {
        s.role = Role::candidate;
        ++s.term;
        s.voted_for = static_cast<std::int8_t>(self);
        s.leader = nobody;
        s.votes = 1;
        s.busy_until = now_ + write_;
        arm(s);
        tell_all(self, Kind::request, s.busy_until);
    }

    void tell_all(int self, Kind kind, Nanoseconds leaves) {
        for (int to = 0; to < survivors; ++to) {
            if (to != self) {
                tell(self, to, kind, leaves);
            }
        }
    }
    void tell(int self, int to, Kind kind, Nanoseconds leaves) {
        line_.push({leaves + delay_, servers_[self].term, kind, static_cast<std::int8_t>(self),
                    static_cast<std::int8_t>(to)});
    }

    /// True when all survivors name one leader.
    bool handle(Event e) {
        now_ = e.at;
        Server& s = servers_[e.to];
        if (s.busy_until > now_) {
            e.at = s.busy_until;
            line_.push(e);
            return false;
        }
        if (e.kind == Kind::timeout) {
            if (e.term == s.armed) {
                stand(s, e.to);
            }
            return false;
        }
        bool writes = false;
        if (e.term > s.term) {
            if (s.role == Role::leader) {
                arm(s);
            }
            s.term = e.term;
            s.role = Role::follower;
            s.voted_for = s.leader = nobody;
            writes = true;
        }
        bool grants = false;
        switch (e.kind) {
            case Kind::request:
                if (e.term == s.term && (s.voted_for == nobody || s.voted_for == e.from) &&
                    (has_long_log[e.from] || !has_long_log[e.to])) {
                    s.voted_for = e.from;
                    grants = writes = true;
                    arm(s);
                }
                s.busy_until = writes ? now_ + write_ : s.busy_until;
                tell(e.to, e.from, grants ? Kind::granted : Kind::refused, now_ + (writes ? write_ : 0));
                return false;
            case Kind::granted:
                if (s.role == Role::candidate && e.term == s.term && ++s.votes == votes_needed) {
                    s.role = Role::leader;
                    s.leader = e.to;
                    s.timeout = never;
                    ++s.armed;
                    tell_all(e.to, Kind::heartbeat, now_);
                }
                break;
            case Kind::heartbeat:
                if (e.term == s.term) {
                    s.role = Role::follower;
                    s.leader = e.from;
                    arm(s);
                    return all_name(e.from);
                }
                break;
            case Kind::refused:
            case Kind::timeout: break;
        }
        s.busy_until = writes ? now_ + write_ : s.busy_until;
        return false;
    }

    [[nodiscard]] bool all_name(std::int8_t leader) const {
        bool all = servers_[leader].role == Role::leader;
        for (const Server& s : servers_) {
            all = all && s.leader == leader;
        }
        return all;
    }

    Nanoseconds delay_, write_, low_, high_, now_ = 0;
    Random random_;
    std::array<Server, survivors> servers_{};
    Line line_;
};

Nanoseconds from_ms(double ms) { return static_cast<Nanoseconds>(ms * 1e6); }

}  // namespace

int main(int argc, char** argv) {
    const auto number = [&](int i, double otherwise) { return argc > i ? std::atof(argv[i]) : otherwise; };
    const auto trials = static_cast<std::size_t>(number(1, 1'000'000));
    Experiment experiment(from_ms(number(2, 5)), from_ms(number(3, 0)), from_ms(number(5, 150)),
                          from_ms(number(6, 300)), static_cast<std::uint64_t>(number(4, 1)));
    std::vector<double> times(trials);
    const auto start = std::chrono::steady_clock::now();
    for (double& time : times) {
        time = static_cast<double>(experiment.trial()) / 1e6;
    }
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    double sum = 0;
    for (const double time : times) {
        sum += time;
    }
    std::printf("elections %zu seconds %.9f mean_ms %.4f\n", trials, took.count(),
                sum / static_cast<double>(trials));
    if (argc > 7) {
        std::FILE* file = std::fopen(argv[7], "wb");
        if (file == nullptr ||
            std::fwrite(times.data(), sizeof(double), trials, file) != trials ||
            std::fclose(file) != 0) {
            std::perror(argv[7]);
            return 1;
        }
    }
    return 0;
}
