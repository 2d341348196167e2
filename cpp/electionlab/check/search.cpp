#include "electionlab/check/search.h"

#include <algorithm>
#include <atomic>
#include <string>
#include <unordered_map>
#include <utility>

#include "electionlab/check/collector.h"
#include "electionlab/check/crew.h"
#include "electionlab/check/visited.h"
#include "electionlab/core/random.h"

namespace electionlab::check {
namespace {

// Depth first, in the order of the steps or in one drawn by lot.
class DepthFirst {
public:
    struct Limits {
        std::int64_t depth = -1;   // steps; -1: none
        std::int64_t states = -1;  // looked at; -1: none
        std::optional<RandomStream> lot{};
    };
    /// A violation or a wanted state, and the steps to it.
    struct Find {
        std::uint64_t bits = 0, wanted = 0;
        std::vector<Step> steps;
    };

    DepthFirst(Space& space, const Collector& all, Limits limits)
        : space_(space), all_(all), limits_(limits) {}

    /// found(find) for each; tell() now and then. Both answer whether to go on.
    void run(const std::function<bool(const Find&)>& found, const std::function<bool()>& tell) {
        std::vector<std::uint32_t> start = space_.initial(worker_);
        see(space_.fingerprint(start, worker_), 0);
        with_leader_ += has_leader(space_, start);
        Find find{space_.broken(start), all_.wanted_in(start), {}};
        if ((find.bits != 0 || find.wanted != 0) && !found(find)) {
            return;
        }
        push(std::move(start));
        while (size_ != 0) {
            Frame& frame = frames_[size_ - 1];
            if (frame.next == frame.transitions.size()) {
                --size_;
                continue;
            }
            const Transition t = frame.transitions[frame.next++];
            if (t.broken != 0) {
                find = {t.broken, 0, steps()};
                if (!found(find)) {
                    return;
                }
            }
            if (!see(t.fingerprint, size_)) {
                continue;
            }
            std::vector<std::uint32_t> next;
            space_.build(frame.world, t, next);
            if (is_new_) {
                with_leader_ += has_leader(space_, next);
                if (all_.looks_at_states()) {
                    find = {space_.broken(next), all_.wanted_in(next), {}};
                    if (find.bits != 0 || find.wanted != 0) {
                        find.steps = steps();
                        if (!found(find)) {
                            return;
                        }
                    }
                }
            }
            deepest_ = std::max(deepest_, static_cast<std::int64_t>(size_));
            if (limits_.depth >= 0 && static_cast<std::int64_t>(size_) >= limits_.depth) {
                too_deep_ = true;
                continue;
            }
            if (limits_.states >= 0 && states() >= limits_.states) {
                return;
            }
            push(std::move(next));
            if (++looks_ % 1024 == 0 && !tell()) {
                return;
            }
        }
        ended_ = true;
    }

    [[nodiscard]] std::int64_t states() const { return static_cast<std::int64_t>(visited_.size()); }
    [[nodiscard]] std::int64_t transitions() const { return transitions_; }
    [[nodiscard]] std::int64_t terminal() const { return terminal_; }
    [[nodiscard]] std::int64_t with_leader() const { return with_leader_; }
    [[nodiscard]] std::int64_t deepest() const { return deepest_; }
    [[nodiscard]] std::int64_t waiting() const { return static_cast<std::int64_t>(size_); }
    [[nodiscard]] bool ended() const { return ended_; }
    [[nodiscard]] bool too_deep() const { return too_deep_; }
    [[nodiscard]] const CutOff& cut_off() const { return worker_.cut_off; }
    [[nodiscard]] std::int64_t bytes() const {
        std::size_t sum = visited_.bytes() + depths_.capacity() * sizeof(std::uint32_t);
        for (const Frame& frame : frames_) {
            sum += frame.world.capacity() * sizeof(std::uint32_t) +
                   frame.transitions.capacity() * sizeof(Transition);
        }
        return static_cast<std::int64_t>(sum);
    }

private:
    struct Frame {
        std::vector<std::uint32_t> world;
        std::vector<Transition> transitions;
        std::size_t next = 0;
    };

    // Whether to look at a state at this distance: it is new, or, with a bound on the depth, nearer
    // to the start than before, so that more of what follows lies within the bound.
    bool see(std::uint64_t fingerprint, std::size_t depth) {
        VisitedPart& part = visited_.part(fingerprint);
        const StateId known = part.find(fingerprint);
        is_new_ = known == no_state;
        if (is_new_) {
            part.add(fingerprint, static_cast<StateId>(states()), no_state);
            if (limits_.depth >= 0) {
                depths_.push_back(static_cast<std::uint32_t>(depth));
            }
            return true;
        }
        if (limits_.depth < 0 || depths_[known] <= depth) {
            return false;
        }
        depths_[known] = static_cast<std::uint32_t>(depth);
        return true;
    }

    void push(std::vector<std::uint32_t> world) {
        if (size_ == frames_.size()) {
            frames_.emplace_back();
        }
        Frame& frame = frames_[size_++];
        frame.world = std::move(world);
        frame.transitions.clear();
        frame.next = 0;
        space_.expand(frame.world, worker_, frame.transitions);
        if (is_new_) {  // else it was counted before
            transitions_ += static_cast<std::int64_t>(frame.transitions.size());
            terminal_ += frame.transitions.empty();
        }
        if (limits_.lot) {  // Fisher and Yates
            for (std::size_t i = frame.transitions.size(); i > 1; --i) {
                std::swap(frame.transitions[i - 1],
                          frame.transitions[scale_word(limits_.lot->word(draws_++), i)]);
            }
        }
    }

    [[nodiscard]] std::vector<Step> steps() const {
        std::vector<Step> list;
        for (std::size_t i = 0; i < size_; ++i) {
            list.push_back(frames_[i].transitions[frames_[i].next - 1].step);
        }
        return list;
    }

    Space& space_;
    const Collector& all_;
    Limits limits_;
    Space::Worker worker_;
    Visited visited_;
    std::vector<std::uint32_t> depths_;  // by number of a state
    std::vector<Frame> frames_;          // the first `size_` are in use
    std::size_t size_ = 0;
    bool is_new_ = true;
    std::uint64_t draws_ = 0;
    std::int64_t looks_ = 0, transitions_ = 0, terminal_ = 0, with_leader_ = 0, deepest_ = 0;
    bool ended_ = false, too_deep_ = false;
};

// One run by lot, to its end or to the bound on its depth.
struct Walk {
    std::vector<Step> steps;
    std::uint64_t bits = 0, wanted = 0;
    bool too_deep = false, ended = false;
    std::int64_t transitions = 0;
};

Walk walk(Space& space, const Collector& all, RandomStream lot, std::int64_t depth,
          Space::Worker& worker) {
    Walk run;
    std::vector<std::uint32_t> world = space.initial(worker), next;
    run.bits = space.broken(world);
    run.wanted = all.wanted_in(world);
    std::vector<Transition> transitions;
    while (run.bits == 0 && run.wanted == 0) {
        if (static_cast<std::int64_t>(run.steps.size()) == depth) {
            run.too_deep = true;
            break;
        }
        transitions.clear();
        space.expand(world, worker, transitions);
        run.transitions += static_cast<std::int64_t>(transitions.size());
        if (transitions.empty()) {
            run.ended = true;
            break;
        }
        const Transition& t = transitions[scale_word(lot.word(run.steps.size()), transitions.size())];
        run.steps.push_back(t.step);
        next.clear();
        space.build(world, t, next);
        world.swap(next);
        run.bits = t.broken;
        if (all.looks_at_states()) {
            run.bits |= space.broken(world);
            run.wanted = all.wanted_in(world);
        }
    }
    return run;
}

// Without a bound a walk of a protocol that repeats itself has no end.
constexpr std::int64_t usual_depth = 200;

}  // namespace

SearchResult search_depth_first(Space& space, const SearchSettings& settings) {
    Collector all(space, settings);
    DepthFirst search(space, all, {space.settings().bounds.depth.value_or(-1), -1, {}});
    const auto note = [&] {
        all.result.transitions = search.transitions();
        all.result.depth = search.deepest();
    };
    try {
        search.run(
            [&](const DepthFirst::Find& find) {
                all.found(find.bits, find.wanted, [&] { return follow(space, find.steps); });
                return !all.has_enough();
            },
            [&] {
                note();
                return all.goes_on(search.states(), search.waiting(), search.bytes());
            });
    } catch (...) {  // what was found so far is kept
        all.result.failure = std::current_exception();
        all.result.interrupted = true;
    }
    note();
    all.result.terminal = search.terminal();
    all.result.with_leader = search.with_leader();
    all.result.exhausted = search.ended();
    all.hit(search.cut_off());
    if (search.too_deep()) {
        all.hit("depth");
        all.result.exhausted = false;
    }
    const auto n = static_cast<double>(search.states());
    all.result.omission_probability = n * n / 0x1p65;
    all.result.peak_bytes = std::max(all.result.peak_bytes, search.bytes());
    return all.finish(search.states());
}

SearchResult search_walks(Space& space, const SearchSettings& settings) {
    Collector all(space, settings);
    Crew crew(settings.threads);
    std::vector<Space::Worker> workers(static_cast<std::size_t>(settings.threads));
    constexpr std::int64_t batch = 64;
    std::vector<Walk> walks(static_cast<std::size_t>(batch));
    const std::int64_t depth = space.settings().bounds.depth.value_or(usual_depth);
    std::int64_t states = 0;
    try {
        for (std::int64_t first = 0; first < settings.runs && !all.stops(); first += batch) {
            const std::int64_t count = std::min(batch, settings.runs - first);
            crew.run(static_cast<std::size_t>(count), [&](int thread, std::size_t piece) {
                const auto number = static_cast<std::uint64_t>(first) + piece;
                walks[piece] = walk(space, all, {trial_key(settings.seed, number)}, depth,
                                    workers[static_cast<std::size_t>(thread)]);
            });
            for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
                const Walk& run = walks[i];
                states += static_cast<std::int64_t>(run.steps.size()) + 1;
                all.result.transitions += run.transitions;
                all.result.terminal += run.ended;
                all.result.depth =
                    std::max(all.result.depth, static_cast<std::int64_t>(run.steps.size()));
                if (run.too_deep) {
                    all.hit("depth");
                }
                if (!all.has_enough()) {
                    all.found(run.bits, run.wanted, [&] { return follow(space, run.steps); });
                }
            }
            all.goes_on(states, 0, 0);
        }
    } catch (...) {
        all.result.failure = std::current_exception();
        all.result.interrupted = true;
    }
    for (const Space::Worker& worker : workers) {
        all.hit(worker.cut_off);
    }
    all.hit("runs");
    return all.finish(states);
}

// Holzmann, Joshi and Groce, "Swarm Verification Techniques", IEEE TSE 37(6), 2011: many small
// searches that differ look further than one of the same cost. Members differ in the order of steps;
// each generation goes twice as deep and looks at twice as many states.
SearchResult search_swarm(Space& space, const SearchSettings& settings) {
    Collector all(space, settings);
    Crew crew(settings.threads);
    constexpr std::int64_t generation = 16;
    constexpr std::int64_t first_depth = 16, first_states = 1000;
    struct Member {
        std::int64_t states = 0, transitions = 0, deepest = 0, bytes = 0;
        bool saw_all = false;
        CutOff cut_off;
        std::optional<DepthFirst::Find> find;
    };
    std::vector<Member> members(static_cast<std::size_t>(generation));
    std::atomic<const char*> ended_by{nullptr};
    std::int64_t states = 0;
    try {
        for (std::int64_t first = 0; first < settings.runs && !all.stops(); first += generation) {
            const auto doublings = std::min<std::int64_t>(first / generation, 20);
            DepthFirst::Limits limits;
            limits.depth = first_depth << doublings;
            if (const auto bound = space.settings().bounds.depth) {
                limits.depth = std::min(limits.depth, *bound);
            }
            limits.states = first_states << doublings;
            const std::int64_t count = std::min(generation, settings.runs - first);
            crew.run(static_cast<std::size_t>(count), [&](int thread, std::size_t piece) {
                members[piece] = {};
                if (ended_by != nullptr) {
                    return;
                }
                DepthFirst::Limits own = limits;
                own.lot = {trial_key(settings.seed, static_cast<std::uint64_t>(first) + piece)};
                DepthFirst search(space, all, own);
                Member& member = members[piece];
                search.run(
                    [&](const DepthFirst::Find& find) {
                        member.find = find;
                        return false;
                    },
                    [&] {
                        const auto& bounds = space.settings().bounds;
                        const auto ends = [&](const char* why) {
                            const char* none = nullptr;
                            ended_by.compare_exchange_strong(none, why);
                        };
                        if (bounds.seconds && all.seconds() >= *bounds.seconds) {
                            ends("seconds");
                        } else if (bounds.memory_bytes &&
                                   search.bytes() * settings.threads >= *bounds.memory_bytes) {
                            ends("memory");
                        } else if (thread == 0 && ended_by == nullptr && settings.progress &&
                                   !settings.progress({states + search.states(),
                                                       all.result.transitions, search.deepest(),
                                                       search.waiting(), search.bytes(),
                                                       all.seconds()})) {
                            ends("caller");  // asked in its own thread
                        }
                        return ended_by == nullptr;
                    });
                member.saw_all = search.ended() && !search.too_deep();
                member.states = search.states();
                member.transitions = search.transitions();
                member.deepest = search.deepest();
                member.bytes = search.bytes();
                member.cut_off = search.cut_off();
            });
            std::int64_t bytes = 0;
            for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
                const Member& member = members[i];
                states += member.states;
                bytes += member.bytes;
                all.result.transitions += member.transitions;
                all.result.depth = std::max(all.result.depth, member.deepest);
                all.hit(member.cut_off);
                if (member.find && !all.has_enough()) {
                    all.found(member.find->bits, member.find->wanted,
                              [&] { return follow(space, member.find->steps); });
                }
            }
            all.result.exhausted = !all.has_enough() && members[0].saw_all;
            if (all.result.exhausted || ended_by != nullptr) {
                break;
            }
            all.goes_on(states, 0, bytes);
        }
    } catch (...) {
        all.result.failure = std::current_exception();
        all.result.interrupted = true;
    }
    if (ended_by != nullptr && std::string(ended_by) == "caller") {
        all.result.interrupted = true;
    } else if (!all.result.exhausted) {
        all.hit(ended_by == nullptr ? "runs" : ended_by.load());
    }
    return all.finish(states);
}

// Breadth first, with the states themselves instead of fingerprints: slower, and certain.
SearchResult search_exactly(Space& space, const SearchSettings& settings) {
    Collector all(space, settings);
    SearchResult& result = all.result;
    Space::Worker worker;
    struct State {
        const std::string* key;
        std::uint32_t parent;
        Step step;
    };
    std::unordered_map<std::string, std::uint32_t> numbers;
    std::unordered_map<std::uint64_t, std::uint32_t> by_fingerprint;
    std::vector<State> states;
    std::size_t bytes = 0;
    const auto key_of = [](World world) {
        return std::string(reinterpret_cast<const char*>(world.data()), world.size_bytes());
    };
    const auto world_of = [&](std::uint32_t number) {
        const std::string& key = *states[number].key;
        std::vector<std::uint32_t> world(key.size() / sizeof(std::uint32_t));
        std::copy(key.begin(), key.end(), reinterpret_cast<char*>(world.data()));
        return world;
    };
    const auto add = [&](World world, std::uint64_t fingerprint, std::uint32_t parent, Step step) {
        const auto number = static_cast<std::uint32_t>(states.size());
        const auto [place, is_new] = numbers.try_emplace(key_of(world), number);
        if (!is_new) {
            return false;
        }
        result.collisions += !by_fingerprint.try_emplace(fingerprint, number).second;
        states.push_back({&place->first, parent, step});
        result.with_leader += has_leader(space, world);
        bytes += sizeof(State) + place->first.capacity() + 80;  // of the tables about
        return true;
    };
    const auto path_to = [&](std::uint32_t number, std::optional<Step> last) {
        std::vector<Step> steps;
        if (last) {
            steps.push_back(*last);
        }
        for (; number != 0; number = states[number].parent) {
            steps.push_back(states[number].step);
        }
        std::reverse(steps.begin(), steps.end());
        return follow(space, steps);
    };
    const auto size = [&] { return static_cast<std::int64_t>(states.size()); };
    try {
        const std::vector<std::uint32_t> start = space.initial(worker);
        add(start, space.fingerprint(start, worker), 0, {});
        all.found(space.broken(start), all.wanted_in(start), [&] { return path_to(0, {}); });
        std::vector<Transition> transitions;
        std::vector<std::uint32_t> next;
        std::uint32_t level_end = 0;  // the last state of this distance
        result.levels.push_back(1);
        bool goes_on = !all.has_enough();
        for (std::uint32_t at = 0; goes_on && at < states.size(); ++at) {
            const std::vector<std::uint32_t> world = world_of(at);
            transitions.clear();
            space.expand(world, worker, transitions);
            result.transitions += static_cast<std::int64_t>(transitions.size());
            result.terminal += transitions.empty();
            for (const Transition& t : transitions) {
                if (t.broken != 0) {
                    all.found(t.broken, 0, [&] { return path_to(at, t.step); });
                }
                next.clear();
                space.build(world, t, next);
                if (add(next, t.fingerprint, at, t.step) && all.looks_at_states()) {
                    const auto number = static_cast<std::uint32_t>(states.size() - 1);
                    all.found(space.broken(next), all.wanted_in(next),
                              [&] { return path_to(number, {}); });
                }
                if (all.has_enough()) {
                    break;
                }
            }
            goes_on = !all.has_enough();
            if (at % 1024 == 0) {
                goes_on = goes_on && all.goes_on(size(), size() - at, static_cast<std::int64_t>(bytes));
            }
            if (goes_on && at == level_end && size() > at + 1) {
                result.levels.push_back(size() - 1 - at);
                result.depth = static_cast<std::int64_t>(result.levels.size()) - 1;
                level_end = static_cast<std::uint32_t>(size() - 1);
                if (space.settings().bounds.depth && result.depth >= *space.settings().bounds.depth) {
                    all.hit("depth");
                    goes_on = false;
                }
            }
        }
        result.exhausted = goes_on;
    } catch (...) {
        result.failure = std::current_exception();
        result.interrupted = true;
    }
    all.hit(worker.cut_off);
    result.peak_bytes = std::max(result.peak_bytes, static_cast<std::int64_t>(bytes));
    result.shortest = true;
    return all.finish(size());
}

SearchResult search(Space& space, const SearchSettings& settings) {
    switch (settings.order) {
        case Order::breadth: break;
        case Order::depth: return search_depth_first(space, settings);
        case Order::walks: return search_walks(space, settings);
        case Order::swarm: return search_swarm(space, settings);
    }
    return settings.exact ? search_exactly(space, settings) : search_breadth_first(space, settings);
}

Path follow(Space& space, const std::vector<Step>& steps) {
    Space::Worker worker;
    Path path;
    path.worlds.push_back(space.initial(worker));
    std::vector<Transition> transitions;
    for (const Step& step : steps) {
        transitions.clear();
        const std::vector<std::uint32_t> world = path.worlds.back();
        space.expand(world, worker, transitions);
        const auto t = std::find_if(transitions.begin(), transitions.end(),
                                    [&](const Transition& each) { return each.step == step; });
        if (t == transitions.end()) {
            break;
        }
        path.steps.push_back(step);
        path.worlds.emplace_back();
        space.build(world, *t, path.worlds.back());
    }
    return path;
}

}  // namespace electionlab::check
