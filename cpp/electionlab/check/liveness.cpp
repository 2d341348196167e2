#include "electionlab/check/liveness.h"

#include <algorithm>
#include <chrono>
#include <deque>
#include <map>
#include <set>
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
           kind == StepKind::tick || kind == StepKind::resume || kind == StepKind::heal;
}

class LassoSearch {
public:
    LassoSearch(Space& space, const Predicate& goal, const std::function<bool(const Progress&)>& progress)
        : space_(space), goal_(goal), progress_(progress), start_(Clock::now()) {}

    LivenessResult run() {
        try {
            explore();
            if (!result_.interrupted) {
                find_end();
                if (!result_.counterexample) {
                    find_circle();
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
        Index to;       // `nobody`: the goal
        Step step;      // of a message: its number, not that of what is in flight
    };
    struct Node {
        std::vector<std::uint32_t> world;
        std::vector<Edge> edges;
        Index parent = nobody;
        bool cut_off = false;  // some of its steps are not known
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

    Index add(std::vector<std::uint32_t> world, std::uint64_t fingerprint, Index parent) {
        const auto number = static_cast<Index>(nodes_.size());
        numbers_.emplace(fingerprint, number);
        nodes_.push_back({std::move(world), {}, parent, false});
        return number;
    }

    // All states before the goal.
    void explore() {
        std::vector<std::uint32_t> start = space_.initial(worker_);
        if (goal_.holds(space_, start)) {
            result_.exhausted = true;
            return;
        }
        const std::uint64_t first = space_.fingerprint(start, worker_);
        add(std::move(start), first, nobody);
        const Bounds& bounds = space_.settings().bounds;
        std::vector<Transition> transitions;
        std::unordered_map<std::uint64_t, bool> reached;  // the goal, by fingerprint
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
            worker_.cut_off = {};
            const std::vector<std::uint32_t> world = nodes_[at].world;
            space_.expand(world, worker_, transitions);
            // A message that adds nothing, as its like is in flight, cuts no step off.
            nodes_[at].cut_off = worker_.cut_off.epoch || worker_.cut_off.messages;
            for (const auto& [was_hit, name] :
                 {std::pair{worker_.cut_off.epoch, "epoch"}, {worker_.cut_off.messages, "messages"},
                  {worker_.cut_off.copies, "copies"}}) {
                if (was_hit) {
                    hit(name);
                }
            }
            result_.transitions += static_cast<std::int64_t>(transitions.size());
            for (const Transition& t : transitions) {
                Step step = t.step;
                if (step.kind == StepKind::deliver || step.kind == StepKind::drop_at_down) {
                    step.what = space_.message_of(step.what);
                }
                const auto known = numbers_.find(t.fingerprint);
                if (known != numbers_.end()) {
                    nodes_[at].edges.push_back({known->second, step});
                    continue;
                }
                std::vector<std::uint32_t> next;
                space_.build(world, t, next);
                const auto [place, is_new] = reached.try_emplace(t.fingerprint, false);
                if (is_new) {
                    place->second = goal_.holds(space_, next);
                }
                const Index to = place->second ? nobody : add(std::move(next), t.fingerprint, at);
                nodes_[at].edges.push_back({to, step});
            }
        }
        result_.exhausted = true;
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

    // Strongly connected components (Tarjan 1972, without recursion), the fair ones among them.
    void find_circle() {
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
                    const Index to = nodes_[at].edges[path.back().second++].to;
                    if (to == nobody || nodes_[to].cut_off) {
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
                        judge(component);
                    }
                }
            }
        }
    }

    using Label = std::tuple<StepKind, NodeId, std::uint32_t>;
    static Label label(const Step& step) { return {step.kind, step.node, step.what}; }

    // Whether a run may stay in these states for ever: each fair step that can be taken in all of
    // them is taken between two of them.
    void judge(std::vector<Index> component) {
        std::sort(component.begin(), component.end());
        const auto inside = [&](Index at) {
            return at != nobody && std::binary_search(component.begin(), component.end(), at);
        };
        bool moves = false;
        std::map<Label, std::size_t> can;  // in how many states
        std::set<Label> taken;
        for (const Index at : component) {
            std::set<Label> here;
            for (const Edge& e : nodes_[at].edges) {
                moves = moves || inside(e.to);
                if (is_fair(e.step.kind)) {
                    here.insert(label(e.step));
                    if (inside(e.to)) {
                        taken.insert(label(e.step));
                    }
                }
            }
            for (const Label& each : here) {
                ++can[each];
            }
        }
        if (!moves) {
            return;
        }
        for (const auto& [each, states] : can) {
            if (states == component.size() && !taken.contains(each)) {
                return;
            }
        }
        make_circle(component, can);
    }

    // A walk through the component that starts and ends in one state, and in which each fair step is
    // taken or cannot be taken at some moment.
    void make_circle(const std::vector<Index>& component, const std::map<Label, std::size_t>& can) {
        const Index first = component.front();  // the nearest to the start
        std::vector<std::pair<Index, const Edge*>> walk;  // from where, along which edge
        Index at = first;
        const auto inside = [&](Index node) {
            return node != nobody && std::binary_search(component.begin(), component.end(), node);
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
                    if (!found && inside(e.to) && good_edge(e)) {
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
                    if (inside(e.to) && !from.contains(e.to)) {
                        from[e.to] = {here, &e};
                        queue.push_back(e.to);
                    }
                }
            }
            EL_ASSERT(false);
        };
        const auto no_edge = [](const Edge&) { return false; };
        const auto no_state = [](Index) { return false; };
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
        lasso.prefix.worlds.push_back(nodes_[way.front()].world);
        for (std::size_t i = 1; i < way.size(); ++i) {
            const auto& edges = nodes_[way[i - 1]].edges;
            go_along(lasso.prefix, *std::find_if(edges.begin(), edges.end(), [&](const Edge& e) {
                return e.to == way[i];
            }));
        }
        lasso.cycle.worlds.push_back(nodes_[at].world);
        for (const Edge* edge : circle) {
            go_along(lasso.cycle, *edge);
        }
        result_.counterexample = std::move(lasso);
    }

    void go_along(Path& path, const Edge& edge) {
        std::vector<Transition> transitions;
        space_.expand(path.worlds.back(), worker_, transitions);
        const std::uint64_t wanted = space_.fingerprint(nodes_[edge.to].world, other_);
        const auto t = std::find_if(transitions.begin(), transitions.end(), [&](const Transition& each) {
            Step step = each.step;
            if (step.kind == StepKind::deliver || step.kind == StepKind::drop_at_down) {
                step.what = space_.message_of(step.what);
            }
            return each.fingerprint == wanted && step == edge.step;
        });
        EL_ASSERT(t != transitions.end());
        path.steps.push_back(t->step);
        path.worlds.push_back(nodes_[edge.to].world);
    }

    Space& space_;
    const Predicate& goal_;
    const std::function<bool(const Progress&)>& progress_;
    Clock::time_point start_;
    Space::Worker worker_, other_;
    std::vector<Node> nodes_;
    std::unordered_map<std::uint64_t, Index> numbers_;
    LivenessResult result_;
};

}  // namespace

LivenessResult search_lasso(Space& space, const Predicate& goal,
                            const std::function<bool(const Progress&)>& progress) {
    return LassoSearch(space, goal, progress).run();
}

}  // namespace electionlab::check
