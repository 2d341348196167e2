// Step, peek, fork, undo and replay: whatever was done, the past stays what it was.
#include <algorithm>
#include <map>
#include <string>

#include "electionlab/core/random.h"

#include "catch_shim.h"
#include "story.h"

using namespace story;

namespace {

struct Moment {
    std::uint64_t state = 0;
    std::uint64_t trace = 0;
    Instant now;

    bool operator==(const Moment&) const = default;
};

Moment moment(const Story& s) { return {s->fingerprint(), s->trace().hash(), s->now()}; }

// One random program against one random cluster.
class Program {
public:
    Program(const char* protocol, std::uint64_t seed)
        : stream_{mix64(seed)}, story_(make(protocol, seed)) {}

    void run(int operations) {
        remember();
        for (int i = 0; i < operations; ++i) {
            const auto what = next(0, 19);
            CAPTURE(i, what, story_->steps());
            if (what < 6) {
                story_->step();
            } else if (what < 8) {
                walk(next(10, 60));
            } else if (what < 9) {
                story_.for_ms(static_cast<double>(next(0, 80)) / 4);
            } else if (what < 13) {
                act(story_);
            } else if (what < 15) {
                peek();
            } else if (what < 17) {
                go_back();
            } else if (what < 18) {
                fork();
            } else {
                refused();
            }
            remember();
        }
        replay();
    }

private:
    std::int64_t next(std::int64_t low, std::int64_t high) {
        return uniform_integer(stream_.word(draw_++), low, high);
    }

    Story make(const char* protocol, std::uint64_t seed) {
        const auto n = static_cast<NodeId>(next(1, 5));
        Dict link{{"one_way_delay_ms", List{1, 6}}};
        if (next(0, 1) == 1) {
            link.emplace_back("loss_probability", 0.1);
            link.emplace_back("duplicate_probability", 0.1);
            link.emplace_back("reorder_probability", 0.1);
        }
        link.emplace_back("fifo", next(0, 3) == 0);
        Dict node;
        if (next(0, 2) == 0) {
            node = {{"write_delay_ms", List{0, 4}}, {"processing_ms", List{0, 1}}};
        }
        List actions;
        if (next(0, 2) == 0) {
            const char* kind = next(0, 1) == 0 ? "crash" : "pause";
            actions.push_back(Dict{{"action", "plan"},
                                   {"plan", Dict{{"do", Dict{{"action", kind}, {"node", "random"}}},
                                                 {"interval_ms", List{20, 60}},
                                                 {"repair_after_ms", List{1, 30}}}}});
        }
        const bool raft = std::string(protocol) == "raft";
        options_ = raft ? Dict{{"election_timeout_ms", List{20, 40}}, {"heartbeat_interval_ms", 8}}
                        : Dict{{"heartbeat_interval_ms", 8}, {"leader_timeout_ms", 30}};
        config_ = Dict{{"seed", static_cast<std::int64_t>(seed)},
                       {"network", link},
                       {"every_node", node},
                       {"write_mode", next(0, 1) == 0 ? "blocking" : "pipelined"},
                       {"initial_leader", next(0, 1) == 0 ? 0 : static_cast<int>(n)},
                       {"actions", actions}};
        protocol_ = protocol;
        return Story(protocol, n, options_, config_);
    }

    void walk(std::int64_t steps) {
        story_->run(story_->now() + ms(50), steps, StopWhen::never, {});
    }

    // Something is done to the cluster: a fault, or a message or timer that is chosen.
    void act(Story& s) {
        const auto n = static_cast<std::int64_t>(s->members());
        const auto node = next(1, n);
        const auto pending = s->pending();
        switch (next(0, 13)) {
            case 0:
                s.crash(static_cast<NodeId>(node));
                break;
            case 1:
                s.restart(static_cast<NodeId>(node));
                break;
            case 2:
                s.pause(static_cast<NodeId>(node));
                break;
            case 3:
                s.resume(static_cast<NodeId>(node));
                break;
            case 4:
                s.act("heal");
                break;
            case 5:
                s.act(Dict{{"action", "crash"}, {"node", "leader"}, {"restart_after_ms", 15}});
                break;
            case 6:
                s.act(Dict{
                    {"action", "at"},
                    {"at_ms", s.now_ms() + 10},
                    {"do", Dict{{"action", "pause"}, {"node", node}, {"resume_after_ms", 5}}}});
                break;
            case 7:
                s.act(Dict{{"action", "when"},
                           {"condition", Dict{{"role", "candidate"}}},
                           {"do", Dict{{"action", "crash"}, {"node", "trigger"}}}});
                break;
            case 8:
                s.act(Dict{{"action", "cut"},
                           {"from", List{node}},
                           {"to", node_range(1, s->members())},
                           {"both_ways", next(0, 1) == 0}});
                break;
            case 9:
                s.act(Dict{
                    {"action", "clock"}, {"node", node}, {"drift_ppm", next(-1000, 1000) * 100}});
                break;
            case 10:
                s.act(Dict{{"action", "link"}, {"link", Dict{{"loss_probability", 0.2}}}});
                break;
            default: {
                if (pending.empty()) {
                    break;
                }
                const auto& event = pending[static_cast<std::size_t>(
                    next(0, static_cast<std::int64_t>(pending.size()) - 1))];
                if (event.kind == PendingEvent::Kind::message) {
                    const char* kinds[] = {"drop", "duplicate", "deliver"};
                    const bool left = event.sent <= s->now();
                    s.touch(kinds[next(0, left ? 2 : 1)], event.message);
                } else if (event.kind == PendingEvent::Kind::timer &&
                           s.due_ns(event.node, timer(event)) >= 0) {
                    s.fire(event.node, timer(event));
                }
            }
        }
    }
    [[nodiscard]] const char* timer(const PendingEvent& event) const {
        return story_->description().timers[static_cast<std::size_t>(event.timer)].c_str();
    }

    // A look ahead changes nothing, and shows what then happens.
    void peek() {
        const Moment before = moment(story_);
        const Trace ahead = story_->peek(nullptr);
        REQUIRE(moment(story_) == before);
        const std::size_t rows = story_->trace().size();
        const Event event = story_->step();
        if (!event) {
            REQUIRE(ahead.size() == 0);
            return;
        }
        REQUIRE(ahead.size() == story_->trace().size() - rows);
        for (std::size_t i = 0; i < ahead.size(); ++i) {
            REQUIRE(ahead.line(ahead.row(i)) ==
                    story_->trace().line(story_->trace().row(rows + i)));
        }
    }

    // Back to a step that is remembered, perhaps forwards again.
    void go_back() {
        const std::int64_t here = story_->steps();
        const Moment now = moment(story_);
        const std::int64_t step = next(0, here);
        story_->seek(step);
        REQUIRE(story_->steps() == step);
        const auto known = seen_.find(step);
        if (known != seen_.end()) {
            REQUIRE(moment(story_) == known->second);
        }
        if (next(0, 2) != 0) {  // and forwards: what was undone is done again
            story_->seek(here);
            REQUIRE(moment(story_) == now);
        }
    }

    // A fork goes its own way; the original does not notice, nor does the fork notice it.
    void fork() {
        const Moment before = moment(story_);
        Story copy = story_.fork();
        REQUIRE(moment(copy) == before);
        for (int i = 0; i < 3; ++i) {
            copy->step();
            act(copy);
        }
        REQUIRE(moment(story_) == before);
        Story twin = story_.fork();
        const Moment of_copy = moment(copy);
        const std::int64_t of_copy_steps = copy->steps();
        walk(10);
        twin->run(before.now + ms(50), 10, StopWhen::never, {});
        REQUIRE(moment(twin) == moment(story_));  // alone or beside others: the same run
        REQUIRE(moment(copy) == of_copy);
        copy->seek(0);
        copy->seek(of_copy_steps);
        REQUIRE(moment(copy) == of_copy);
    }

    // What is refused changes nothing, the future included.
    void refused() {
        const Moment before = moment(story_);
        const std::int64_t last = story_->last_step();
        REQUIRE_THROWS_AS(story_.touch("drop", 1'000'000'000), InvalidArgument);
        REQUIRE(moment(story_) == before);
        REQUIRE(story_->last_step() == last);
    }

    void replay() {
        const auto journal = story_->journal();
        Story again(protocol_, story_->members(), options_, config_);
        again->replay(journal, story_->steps(), story_->now());
        REQUIRE(moment(again) == moment(story_));
        REQUIRE(again->trace().size() == story_->trace().size());
    }

    // Where there is no future, all that was remembered beyond the last place is of another one.
    void remember() {
        const std::int64_t step = story_->steps();
        if (story_->last_step() == step) {
            forget_after(std::min(at_, step));
        }
        seen_[step] = moment(story_);
        at_ = step;
    }
    void forget_after(std::int64_t step) { seen_.erase(seen_.upper_bound(step), seen_.end()); }

    RandomStream stream_;
    std::uint64_t draw_ = 0;
    const char* protocol_ = nullptr;
    Value options_;
    Value config_;
    Story story_;
    std::map<std::int64_t, Moment> seen_;
    std::int64_t at_ = 0;
};

void programs(const char* protocol, std::int64_t count) {
    for (std::int64_t seed = 0; seed < count; ++seed) {
        CAPTURE(protocol, seed);
        Program(protocol, static_cast<std::uint64_t>(seed)).run(seed % 20 == 0 ? 120 : 16);
    }
}

}  // namespace

TEST_CASE("history: random programs of step, peek, fork, undo and replay, Raft",
          "[sim][history][property][raft]") {
    programs("raft", seeds(3400));
}

TEST_CASE("history: random programs of step, peek, fork, undo and replay, Bully",
          "[sim][history][property][bully]") {
    programs("bully", seeds(3300));
}

TEST_CASE("history: random programs of step, peek, fork, undo and replay, Ring",
          "[sim][history][property][ring]") {
    programs("ring", seeds(3300));
}

TEST_CASE("history: a new future replaces the one that was undone, copies of it included",
          "[sim][history]") {
    // 64 steps lie between two kept copies: step 64 is one thing first and another thing later.
    Story s("raft", 3, Dict{{"election_timeout_ms", 1e6}, {"heartbeat_interval_ms", 10}},
            Dict{{"network", network(3)}, {"initial_leader", 1}});
    while (s->steps() < 80) {
        s->step();
    }
    s->seek(63);
    s.crash(2);  // step 64, in the new future
    const Moment crashed = moment(s);
    while (s->steps() < 75) {
        s->step();
    }
    s->seek(64);
    CHECK(s.role(2) == Role::down);
    CHECK(moment(s) == crashed);
    CHECK_THROWS_WITH(s->seek(76), contains("event=76") && contains("0 (the start) to 75"));
    CHECK_THROWS_AS(s->seek(-1), InvalidArgument);
}

TEST_CASE("history: a run that is not recorded is the same run", "[sim][history][determinism]") {
    const char* protocol = GENERATE("raft", "bully", "ring");
    for (std::int64_t seed = 0; seed < seeds(100); ++seed) {
        const Value config =
            Dict{{"seed", seed},
                 {"actions",
                  List{Dict{{"action", "plan"},
                            {"plan", Dict{{"do", Dict{{"action", "crash"}, {"node", "random"}}},
                                          {"interval_ms", List{100, 900}}}}}}}};
        Story recorded(protocol, 5, Dict{}, config, true);
        Story bare(protocol, 5, Dict{}, config, false);
        recorded.until(3000);
        bare.until(3000);
        CAPTURE(protocol, seed);
        REQUIRE(recorded->fingerprint() == bare->fingerprint());
        REQUIRE(recorded->traffic() == bare->traffic());
        REQUIRE(measures_to_value(recorded->monitor(), recorded->now()) ==
                measures_to_value(bare->monitor(), bare->now()));
    }
}

TEST_CASE("history: without a record there is no way back", "[sim][history][errors]") {
    Story s("raft", 3, Dict{}, Dict{}, false);
    s.until(100);
    CHECK_THROWS_WITH(s->seek(1), contains("record"));
    CHECK(s->trace().size() == 0);
}

TEST_CASE("history: a journal that leads elsewhere is refused", "[sim][history][errors]") {
    Story s("raft", 3);
    s.until(100);
    s.crash(2);
    s.until(500);
    auto journal = s->journal();
    Story other("raft", 3, Dict{}, Dict{{"seed", 9}});
    CHECK_THROWS_WITH(other->replay(journal, s->steps() + 1000, s->now()), contains("trace"));
}
