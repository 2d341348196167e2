#include "electionlab/check/liveness.h"

#include <algorithm>
#include <chrono>
#include <deque>
#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <utility>

#include "electionlab/core/errors.h"

namespace electionlab::check {
namespace {

using Clock = std::chrono::steady_clock;
using Index = std::uint32_t;
constexpr Index nobody = ~Index{0};

// Which steps must not wait for ever.
bool is_fair(StepKind kind) {
    return kind == StepKind::deliver || kind == StepKind::drop_at_down || kind == StepKind::fire ||
           kind == StepKind::tick || kind == StepKind::resume || kind == StepKind::heal ||
           kind == StepKind::start;
}

// A step of a message by the message's number, not that of what is in flight.
Step by_message(const Space& space, Step step) {
    if (step.kind == StepKind::deliver || step.kind == StepKind::drop_at_down ||
        step.kind == StepKind::lose || step.kind == StepKind::duplicate) {
        step.what = space.message_of(step.what);
    }
    return step;
}

[[noreturn]] void no_epochs(const Space& space) {
    throw std::runtime_error(std::string(space.rules().description().about.name) +
                             ": what it declares to be epochs (is_epoch) are none: a run found with "
                             "it cannot be repeated in true epochs");
}

class LassoSearch {
public:
    LassoSearch(Space& space, const Predicate& goal, const std::function<bool(const Progress&)>& progress)
        : space_(space),
          goal_(goal),
          progress_(progress),
          start_(Clock::now()),
          shifts_(space.rules().has_epochs()) {
        worker_.cut_steps = &cut_steps_;
        beyond_.ignores_epoch_bound = true;
    }

    LivenessResult run() {
        try {
            explore();
            if (!result_.interrupted) {
                find_end();
                for (const bool shifted : {false, true}) {
                    if (!result_.counterexample && (shifts_ || !shifted)) {
                        find_circle(shifted);
                    }
                }
            }
        } catch (...) {
            result_.failure = std::current_exception();
            result_.interrupted = true;
        }
        result_.states = static_cast<std::int64_t>(nodes_.size());
        result_.seconds = seconds();
        return std::move(result_);
    }

private:
    struct Edge {
        Index to;       // `nobody`: the goal, or what a bound cuts off
        Step step;      // of a message: its number, not that of what is in flight
        Epoch shift;    // by how much all epochs were lowered after it
    };
    struct Node {
        std::vector<std::uint32_t> world;
        std::vector<Edge> edges;
        Index parent = nobody;
        bool cut_off = false;  // its steps are not known
        bool lowered = false;  // its epochs are not the true ones
    };

    [[nodiscard]] double seconds() const {
        return std::chrono::duration<double>(Clock::now() - start_).count();
    }

    void hit(const char* bound) {
        if (std::find(result_.bounds_hit.begin(), result_.bounds_hit.end(), bound) ==
            result_.bounds_hit.end()) {
            result_.bounds_hit.emplace_back(bound);
        }
    }

    Index add(std::vector<std::uint32_t> world, std::uint64_t key, Index parent, bool lowered) {
        const auto number = static_cast<Index>(nodes_.size());
        numbers_.emplace(key, number);
        nodes_.push_back({std::move(world), {}, parent, false, lowered});
        return number;
    }

    // Lowers all epochs so that the least is 1; by how much.
    Epoch lower(std::vector<std::uint32_t>& world) {
        const Epoch least = shifts_ ? space_.least_epoch(world) : 0;
        if (least > 1) {
            space_.raise(world, 1 - least);
        }
        return least > 1 ? least - 1 : 0;
    }

    [[nodiscard]] bool is_goal(const std::vector<std::uint32_t>& world, bool lowered) {
        const bool holds = goal_.holds(space_, world);
        if (lowered) {
            std::vector<std::uint32_t> higher = world;
            space_.raise(higher, 1);
            if (goal_.holds(space_, higher) != holds) {
                throw std::runtime_error(goal_.name + ": depends on the numbers of epochs, and is " +
                                         "asked of states in which only their differences are known");
            }
        }
        return holds;
    }

    // All states before the goal.
    void explore() {
        std::vector<std::uint32_t> start = space_.initial(worker_);
        first_shift_ = lower(start);
        if (is_goal(start, first_shift_ > 0)) {
            result_.exhausted = true;
            return;
        }
        const std::uint64_t first = space_.fingerprint(start, worker_);
        add(std::move(start), first, nobody, first_shift_ > 0);
        const Bounds& bounds = space_.settings().bounds;
        std::vector<Transition> transitions;
        std::unordered_map<std::uint64_t, bool> reached;  // the goal, by key
        for (Index at = 0; at < nodes_.size(); ++at) {
            if (at % 4096 == 0 && !goes_on(at)) {
                result_.interrupted = true;
                return;
            }
            if ((bounds.states && static_cast<std::int64_t>(nodes_.size()) >= *bounds.states) ||
                (bounds.seconds && at % 1024 == 0 && seconds() >= *bounds.seconds)) {
                hit(bounds.states && static_cast<std::int64_t>(nodes_.size()) >= *bounds.states
                        ? "states" : "seconds");
                for (Index rest = at; rest < nodes_.size(); ++rest) {
                    nodes_[rest].cut_off = true;
                }
                return;
            }
            transitions.clear();
            cut_steps_.clear();
            worker_.cut_off = {};
            const std::vector<std::uint32_t> world = nodes_[at].world;
            space_.expand(world, worker_, transitions);
            if (nodes_[at].lowered) {
                std::erase_if(transitions, [&](const Transition& t) {
                    if (!space_.shifts(t)) {
                        worker_.cut_off.epoch = true;
                        cut_steps_.push_back(t.step);
                    }
                    return !space_.shifts(t);
                });
            }
            for (const Step& step : cut_steps_) {
                nodes_[at].edges.push_back({nobody, by_message(space_, step), 0});
            }
            for (const auto& [was_hit, name] :
                 {std::pair{worker_.cut_off.epoch, "epoch"}, {worker_.cut_off.messages, "messages"},
                  {worker_.cut_off.copies, "copies"}}) {
                if (was_hit) {
                    hit(name);
                }
            }
            result_.transitions += static_cast<std::int64_t>(transitions.size());
            for (const Transition& t : transitions) {
                look(at, world, t, reached);
            }
        }
        result_.exhausted = true;
    }

    void look(Index at, const std::vector<std::uint32_t>& world, const Transition& t,
              std::unordered_map<std::uint64_t, bool>& reached) {
        const Step step = by_message(space_, t.step);
        std::uint64_t key = t.fingerprint;
        std::vector<std::uint32_t> next;
        Epoch shift = 0;
        bool lowered = nodes_[at].lowered;
        if (shifts_) {
            space_.build(world, t, next);
            shift = lower(next);
            lowered = lowered || shift > 0;
            key = space_.fingerprint(next, worker_);
            key = lowered ? mix64(key) : key;
        }
        if (const auto known = numbers_.find(key); known != numbers_.end()) {
            nodes_[at].edges.push_back({known->second, step, shift});
            return;
        }
        if (!shifts_) {
            space_.build(world, t, next);
        }
        const auto [place, is_new] = reached.try_emplace(key, false);
        if (is_new) {
            place->second = is_goal(next, lowered);
        }
        const Index to = place->second ? nobody : add(std::move(next), key, at, lowered);
        nodes_[at].edges.push_back({to, step, shift});
    }

    bool goes_on(Index at) {
        return !progress_ ||
               progress_({static_cast<std::int64_t>(nodes_.size()), result_.transitions, 0,
                          static_cast<std::int64_t>(nodes_.size() - at), 0, seconds()});
    }

    // A state in which nothing must happen any more: the first found is nearest to the start.
    void find_end() {
        for (Index at = 0; at < nodes_.size(); ++at) {
            const auto& edges = nodes_[at].edges;
            if (!nodes_[at].cut_off && std::none_of(edges.begin(), edges.end(), [](const Edge& e) {
                    return is_fair(e.step.kind);
                })) {
                report(at, {});
                return;
            }
        }
    }

    // Strongly connected components (Tarjan 1972, without recursion), the fair ones among them. First
    // without steps that lower epochs; then `shifted`, those with such a step.
    void find_circle(bool shifted) {
        std::vector<Index> order(nodes_.size(), nobody), low(nodes_.size(), 0);
        std::vector<bool> on_stack(nodes_.size(), false);
        std::vector<Index> stack;
        std::vector<std::pair<Index, std::size_t>> path;
        Index count = 0;
        for (Index root = 0; root < nodes_.size() && !result_.counterexample; ++root) {
            if (order[root] != nobody || nodes_[root].cut_off) {
                continue;
            }
            const auto enter = [&](Index at) {
                order[at] = low[at] = count++;
                stack.push_back(at);
                on_stack[at] = true;
                path.emplace_back(at, 0);
            };
            enter(root);
            while (!path.empty()) {
                const Index at = path.back().first;
                if (path.back().second < nodes_[at].edges.size()) {
                    const Edge& edge = nodes_[at].edges[path.back().second++];
                    const Index to = edge.to;
                    if (to == nobody || nodes_[to].cut_off || (edge.shift > 0 && !shifted)) {
                        continue;
                    }
                    if (order[to] == nobody) {
                        enter(to);
                    } else if (on_stack[to]) {
                        low[at] = std::min(low[at], order[to]);
                    }
                    continue;
                }
                path.pop_back();
                if (!path.empty()) {
                    low[path.back().first] = std::min(low[path.back().first], low[at]);
                }
                if (low[at] == order[at]) {
                    std::vector<Index> component;
                    do {
                        component.push_back(stack.back());
                        on_stack[stack.back()] = false;
                        stack.pop_back();
                    } while (component.back() != at);
                    if (!result_.counterexample) {
                        judge(component, shifted);
                    }
                }
            }
        }
    }

    using Label = std::tuple<StepKind, NodeId, std::uint32_t>;
    static Label label(const Step& step) { return {step.kind, step.node, step.what}; }

    // Whether the step must not wait for ever. In a circle that raises epochs no message with an
    // epoch waits for ever, or it would fall behind.
    [[nodiscard]] bool must_come(const Step& step, bool shifted) const {
        const bool of_message = step.kind == StepKind::deliver || step.kind == StepKind::drop_at_down;
        return is_fair(step.kind) &&
               !(shifted && of_message && space_.rules().message(step.what).least_epoch != 0);
    }

    // Whether a run may stay in these states for ever: each fair step that can be taken in all of
    // them is taken between two of them. `shifted`: such a run raises epochs again and again.
    void judge(std::vector<Index> component, bool shifted) {
        std::sort(component.begin(), component.end());
        const auto inside = [&](Index at) {
            return at != nobody && std::binary_search(component.begin(), component.end(), at);
        };
        bool moves = false, raises = false;
        std::map<Label, std::size_t> can;  // in how many states
        std::set<Label> taken;
        for (const Index at : component) {
            std::set<Label> here;
            for (const Edge& e : nodes_[at].edges) {
                const bool stays = inside(e.to) && (e.shift == 0 || shifted);
                moves = moves || stays;
                raises = raises || (stays && e.shift > 0);
                if (must_come(e.step, shifted)) {
                    here.insert(label(e.step));
                    if (stays) {
                        taken.insert(label(e.step));
                    }
                }
            }
            for (const Label& each : here) {
                ++can[each];
            }
        }
        if (!moves || (shifted && !raises)) {
            return;
        }
        for (const auto& [each, states] : can) {
            if (states == component.size() && !taken.contains(each)) {
                return;
            }
        }
        make_circle(component, can, shifted);
    }

    // A walk through the component that starts and ends in one state, and in which each fair step is
    // taken or cannot be taken at some moment.
    void make_circle(const std::vector<Index>& component, const std::map<Label, std::size_t>& can,
                     bool shifted) {
        const Index first = component.front();  // the nearest to the start
        std::vector<std::pair<Index, const Edge*>> walk;  // from where, along which edge
        Index at = first;
        const auto stays = [&](const Edge& e) {
            return e.to != nobody && (e.shift == 0 || shifted) &&
                   std::binary_search(component.begin(), component.end(), e.to);
        };
        const auto offers = [&](Index node, const Label& wanted) {
            return std::any_of(nodes_[node].edges.begin(), nodes_[node].edges.end(),
                               [&](const Edge& e) { return label(e.step) == wanted; });
        };
        // Goes on to the nearest edge or state that satisfies; returns at once if it stands there.
        const auto go = [&](const auto& good_state, const auto& good_edge) {
            std::map<Index, std::pair<Index, const Edge*>> from{{at, {nobody, nullptr}}};
            std::deque<Index> queue{at};
            while (!queue.empty()) {
                const Index here = queue.front();
                queue.pop_front();
                const Edge* last = nullptr;
                bool found = good_state(here);
                for (const Edge& e : nodes_[here].edges) {
                    if (!found && stays(e) && good_edge(e)) {
                        last = &e;
                        found = true;
                    }
                }
                if (found) {
                    std::vector<std::pair<Index, const Edge*>> steps;
                    for (Index back = here; from[back].second != nullptr; back = from[back].first) {
                        steps.push_back(from[back]);
                    }
                    walk.insert(walk.end(), steps.rbegin(), steps.rend());
                    at = here;
                    if (last != nullptr) {
                        walk.emplace_back(here, last);
                        at = last->to;
                    }
                    return;
                }
                for (const Edge& e : nodes_[here].edges) {
                    if (stays(e) && !from.contains(e.to)) {
                        from[e.to] = {here, &e};
                        queue.push_back(e.to);
                    }
                }
            }
            EL_ASSERT(false);
        };
        const auto no_edge = [](const Edge&) { return false; };
        const auto no_state = [](Index) { return false; };
        if (shifted) {
            go(no_state, [](const Edge& e) { return e.shift > 0; });
        }
        for (const auto& entry : can) {
            const Label wanted = entry.first;
            const bool done = std::any_of(walk.begin(), walk.end(), [&](const auto& step) {
                return label(step.second->step) == wanted || !offers(step.first, wanted);
            });
            if (!done) {
                go([&](Index node) { return !offers(node, wanted); },
                   [&](const Edge& e) { return label(e.step) == wanted; });
            }
        }
        if (walk.empty()) {
            go(no_state, [](const Edge&) { return true; });
        }
        go([&](Index node) { return node == first; }, no_edge);
        std::vector<const Edge*> edges;
        for (const auto& step : walk) {
            edges.push_back(step.second);
        }
        report(first, edges);
    }

    void report(Index at, const std::vector<const Edge*>& circle) {
        std::vector<Index> way;
        for (Index back = at; back != nobody; back = nodes_[back].parent) {
            way.push_back(back);
        }
        std::reverse(way.begin(), way.end());
        Lasso lasso;
        raised_ = first_shift_;
        lasso.prefix.worlds.push_back(nodes_[way.front()].world);
        space_.raise(lasso.prefix.worlds.back(), raised_);
        for (std::size_t i = 1; i < way.size(); ++i) {
            const auto& edges = nodes_[way[i - 1]].edges;
            go_along(lasso.prefix, *std::find_if(edges.begin(), edges.end(), [&](const Edge& e) {
                return e.to == way[i];
            }));
        }
        lasso.cycle.worlds.push_back(lasso.prefix.worlds.back());
        const Epoch before = raised_;
        for (const Edge* edge : circle) {
            go_along(lasso.cycle, *edge);
        }
        lasso.shift = raised_ - before;
        if (shifts_) {
            for (const auto& world : unroll(space_, lasso, 3).worlds) {
                if (goal_.holds(space_, world)) {
                    no_epochs(space_);
                }
            }
        }
        result_.counterexample = std::move(lasso);
    }

    // In true epochs: those of the states found are lower by `raised_`.
    void go_along(Path& path, const Edge& edge) {
        std::vector<Transition> transitions;
        space_.expand(path.worlds.back(), beyond_, transitions);
        Step step = edge.step;
        if (raised_ > 0 && step.node != no_node && is_of_message(step)) {
            step.what = space_.rules().raised_message(step.what, raised_);
        }
        std::vector<std::uint32_t> wanted = nodes_[edge.to].world;
        if (raised_ + edge.shift > 0) {
            space_.raise(wanted, raised_ + edge.shift);
        }
        const std::uint64_t print = space_.fingerprint(wanted, other_);
        const auto t = std::find_if(transitions.begin(), transitions.end(), [&](const Transition& each) {
            return each.fingerprint == print && by_message(space_, each.step) == step;
        });
        if (t == transitions.end()) {
            no_epochs(space_);
        }
        path.steps.push_back(t->step);
        path.worlds.push_back(std::move(wanted));
        raised_ += edge.shift;
    }
    static bool is_of_message(const Step& step) {
        return step.kind == StepKind::deliver || step.kind == StepKind::drop_at_down ||
               step.kind == StepKind::lose || step.kind == StepKind::duplicate;
    }

    Space& space_;
    const Predicate& goal_;
    const std::function<bool(const Progress&)>& progress_;
    Clock::time_point start_;
    std::vector<Step> cut_steps_;  // of the state that is looked at
    bool shifts_;
    Epoch first_shift_ = 0;  // of the start
    Epoch raised_ = 0;       // by how much the run that is being told is above the states found
    Space::Worker worker_, other_, beyond_;
    std::vector<Node> nodes_;
    std::unordered_map<std::uint64_t, Index> numbers_;
    LivenessResult result_;
};

}  // namespace

LivenessResult search_lasso(Space& space, const Predicate& goal,
                            const std::function<bool(const Progress&)>& progress) {
    return LassoSearch(space, goal, progress).run();
}

Path unroll(Space& space, const Lasso& lasso, int rounds) {
    Space::Worker worker, other;
    worker.ignores_epoch_bound = true;
    Path path = lasso.prefix;
    std::vector<Transition> transitions;
    for (int round = 0; round < rounds; ++round) {
        const Epoch raised = lasso.shift * round;
        for (std::size_t i = 0; i < lasso.cycle.steps.size(); ++i) {
            transitions.clear();
            const std::vector<std::uint32_t> world = path.worlds.back();
            space.expand(world, worker, transitions);
            std::vector<std::uint32_t> wanted = lasso.cycle.worlds[i + 1];
            if (raised > 0) {
                space.raise(wanted, raised);
            }
            const std::uint64_t print = space.fingerprint(wanted, other);
            const auto t = std::find_if(transitions.begin(), transitions.end(), [&](const Transition& each) {
                return each.fingerprint == print && each.step.kind == lasso.cycle.steps[i].kind &&
                       each.step.node == lasso.cycle.steps[i].node;
            });
            if (t == transitions.end()) {
                no_epochs(space);
            }
            path.steps.push_back(t->step);
            path.worlds.push_back(std::move(wanted));
        }
    }
    return path;
}

}  // namespace electionlab::check
