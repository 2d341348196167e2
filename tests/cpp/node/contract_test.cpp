// What the contract asks of every protocol, tried by a runner without any time: an adversary that
// delivers, loses and repeats messages and expires timers in any order, and crashes nodes.
#include <algorithm>
#include <iterator>
#include <map>
#include <utility>
#include <vector>

#include "electionlab/core/random.h"
#include "electionlab/protocols/bully.h"
#include "electionlab/protocols/raft.h"
#include "electionlab/protocols/ring.h"

#include "catch_shim.h"
#include "story.h"

using namespace electionlab;

namespace {

template <class P>
class Untimed {
public:
    Untimed(NodeId members, std::uint64_t seed) : stream_{mix64(seed)}, nodes_(members) {
        for (NodeId node = 1; node <= members; ++node) {
            at(node).state.disk = at(node).durable = P::initial_disk(options_, node);
            handle(node, [&](auto& s, const auto& ctx) { P::on_start(s, ctx, effects_); });
        }
    }

    void run(int events) {
        for (int i = 0; i < events; ++i) {
            const auto node =
                static_cast<NodeId>(next(1, static_cast<std::int64_t>(nodes_.size())));
            const auto what = next(0, 99);
            if (what < 85 && !flying_.empty()) {
                // Mostly one of the latest, or else hardly anything would ever come to an end.
                const auto size = static_cast<std::int64_t>(flying_.size());
                const auto oldest = next(0, 3) == 0 ? 0 : std::max<std::int64_t>(0, size - 8);
                const auto pick = static_cast<std::size_t>(next(oldest, size - 1));
                const Flying m = flying_[pick];
                if (next(0, 9) != 0) {  // one in ten is delivered and stays in flight
                    flying_.erase(flying_.begin() + static_cast<std::ptrdiff_t>(pick));
                }
                if (next(0, 19) != 0 && at(m.to).up) {
                    handle(m.to, [&](auto& s, const auto& ctx) {
                        P::on_message(s, ctx, m.from, m.message, effects_);
                    });
                }
            } else if (what < 98) {
                const auto timers = at(node).timers;
                if (at(node).up && !timers.empty()) {
                    auto chosen = timers.begin();
                    std::advance(chosen, next(0, static_cast<std::int64_t>(timers.size()) - 1));
                    at(node).timers.erase(chosen->first);
                    handle(node, [&](auto& s, const auto& ctx) {
                        expire<P>(s, ctx, static_cast<TimerOf<P>>(chosen->first.first),
                                  chosen->first.second, effects_);
                    });
                }
            } else if (at(node).up) {
                at(node).up = false;
                at(node).timers.clear();
                at(node).state = {at(node).durable, {}};
            } else {
                at(node).up = true;
                handle(node, [&](auto& s, const auto& ctx) { P::on_restart(s, ctx, effects_); });
            }
            if (flying_.size() > 200) {  // an adversary may lose as much as it likes
                flying_.erase(flying_.begin(), flying_.begin() + 100);
            }
        }
    }

    std::int64_t sends = 0;
    std::int64_t persisted = 0;
    std::int64_t leaders = 0;

private:
    struct Flying {
        NodeId from, to;
        typename P::Message message;
    };
    struct Node {
        State<P> state{};
        typename P::Disk durable{};
        std::map<std::pair<std::uint32_t, NodeId>, bool> timers;  // by name, and about whom
        bool up = true;
    };

    Node& at(NodeId node) { return nodes_[node - 1]; }
    std::int64_t next(std::int64_t low, std::int64_t high) {
        return uniform_integer(stream_.word(draw_++), low, high);
    }
    [[nodiscard]] Context<typename P::Options> context(NodeId node) const {
        const auto members = static_cast<NodeId>(nodes_.size());
        return {options_, node, members, members, no_node, {}};
    }

    template <class Handler>
    void handle(NodeId node, Handler&& handler) {
        Node& n = at(node);
        const State<P> before = n.state;
        effects_.clear();
        handler(n.state, context(node));
        // Equal states and inputs give equal states and effects.
        State<P> again = before;
        Effects<typename P::Message> first = effects_;
        effects_.clear();
        handler(again, context(node));
        REQUIRE(again == n.state);
        REQUIRE(hash_of(again) == hash_of(n.state));
        REQUIRE(first.sends().size() == effects_.sends().size());
        REQUIRE(first.persists() == effects_.persists());

        const bool changed = !(n.state.disk == before.disk);
        if (changed && !first.sends().empty()) {
            REQUIRE(first.persists());
        }
        if (first.persists()) {
            n.durable = n.state.disk;
            ++persisted;
        }
        for (const auto& change : first.timers()) {
            if (change.set) {
                REQUIRE(change.spec.min.ns > 0);
                REQUIRE(change.spec.min <= change.spec.max);
                n.timers[{change.timer, change.about}] = true;
            } else {
                n.timers.erase({change.timer, change.about});
            }
        }
        for (const auto& outgoing : first.sends()) {
            REQUIRE(outgoing.to != node);
            REQUIRE(outgoing.to <= nodes_.size());
            for (NodeId to = 1; to <= nodes_.size(); ++to) {
                if (to != node && (outgoing.to == no_node || outgoing.to == to)) {
                    flying_.push_back({node, to, outgoing.message});
                    ++sends;
                }
            }
        }
        REQUIRE(!n.timers.empty());  // a node that waits for nothing never wakes again
        watch(node, P::view(before, context(node)), P::view(n.state, context(node)));
    }

    void watch(NodeId node, const View& before, const View& after) {
        REQUIRE(after.role <= Role::leader);
        REQUIRE((!after.leads() || after.leader == node));
        if (after.leads() && (!before.leads() || before.epoch != after.epoch)) {
            ++leaders;
            if (P::about().epochs) {
                const auto [place, fresh] = leader_of_.try_emplace(after.epoch, node);
                CAPTURE(after.epoch);
                REQUIRE(place->second == node);
            }
        }
    }

    RandomStream stream_;
    std::uint64_t draw_ = 0;
    typename P::Options options_{};
    std::vector<Node> nodes_;
    std::vector<Flying> flying_;
    std::map<Epoch, NodeId> leader_of_;
    Effects<typename P::Message> effects_;
};

template <class P>
void keeps_the_contract() {
    std::int64_t sends = 0, leaders = 0;
    for (std::int64_t seed = 0; seed < story::seeds(400); ++seed) {
        const auto members = static_cast<NodeId>(1 + seed % 6);
        CAPTURE(P::about().name, seed, members);
        Untimed<P> run(members, static_cast<std::uint64_t>(seed));
        run.run(600);
        sends += run.sends;
        leaders += members > 2 ? run.leaders : 0;
    }
    CHECK(sends > story::seeds(400) * 100);
    CHECK(leaders > story::seeds(400));
}

}  // namespace

TEST_CASE("contract: Raft keeps it, and one leader per term, without any timing",
          "[node][contract][raft][safety]") {
    keeps_the_contract<Raft<64>>();
}

TEST_CASE("contract: Bully keeps it without any timing", "[node][contract][bully]") {
    keeps_the_contract<Bully>();
}

TEST_CASE("contract: Ring keeps it without any timing", "[node][contract][ring]") {
    keeps_the_contract<Ring>();
}

TEST_CASE("contract: the large Raft is the small one with more room", "[node][contract][raft]") {
    Untimed<Raft<10240>> run(3, 1);
    run.run(2000);
    CHECK(run.leaders > 0);
    STATIC_REQUIRE(std::is_trivially_copyable_v<Raft<64>::Message>);
    STATIC_REQUIRE(std::is_trivially_copyable_v<State<Raft<64>>>);
}

TEST_CASE("effects: a reused buffer keeps nothing of the last input", "[node][effects]") {
    Effects<int> effects;
    effects.want_notes(true);
    effects.persist();
    effects.send(2, 5);
    effects.broadcast(6);
    effects.set_timer(1, TimerSpec::fixed(ms(3)));
    effects.cancel_timer(2);
    effects.note("why {} and {}", 1, 2);
    CHECK(effects.persists());
    CHECK(effects.sends().size() == 2);
    CHECK(effects.sends()[1].to == no_node);
    CHECK(effects.timers().size() == 2);
    CHECK(effects.notes().size() == 1);
    CHECK(fill(effects.notes()[0].text, 1, 2) == "why 1 and 2");
    effects.clear();
    CHECK_FALSE(effects.persists());
    CHECK(effects.sends().empty());
    CHECK(effects.timers().empty());
    CHECK(effects.notes().empty());
    effects.want_notes(false);
    effects.note("unheard");
    CHECK(effects.notes().empty());
}
