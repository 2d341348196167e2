// A whole check: what is asked, of which protocol, with which faults and bounds; and what came out.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "electionlab/check/graph.h"
#include "electionlab/check/liveness.h"
#include "electionlab/check/search.h"
#include "electionlab/check/space.h"
#include "electionlab/core/value.h"

namespace electionlab::check {

/// What can be read from a dictionary; predicates are added by the caller.
struct Request {
    SpaceSettings space{};
    SearchSettings search{};
    RulesRequest rules{};

    /// `InvalidArgument` names the bad entry. Without "invariants" all that the protocol promises are
    /// asked, and one leader per epoch if it has epochs. Commands are a list of
    /// {"node": 1, "command": "Propose", "fields": {...}}.
    static Request from_value(const Value& value, const Description& protocol, NodeId members,
                              NodeId actors);
};

/// A check that ended, with all that is needed to look at the states it tells of.
class Report {
public:
    Report(std::unique_ptr<Rules> rules, Request request);

    /// Looks for a fair run in which `goal` never holds, instead.
    void run_eventually(const Predicate& goal);
    /// Explores; what handlers and predicates throw is kept in the result, with what was found.
    void run();

    [[nodiscard]] const SearchResult& result() const { return result_; }
    [[nodiscard]] const LivenessResult& liveness() const { return liveness_; }
    [[nodiscard]] Value liveness_value() const;
    [[nodiscard]] Space& space() const { return *space_; }
    [[nodiscard]] const Request& request() const { return request_; }
    /// A step by field, for people and for replaying it: {"step": "deliver", "node": 2, ...}.
    /// Depths, names of broken invariants and steps; not the states themselves.
    [[nodiscard]] Value graph_value(const StateGraph& graph) const;
    /// `ticks`: that have gone by since the start.
    [[nodiscard]] Value step_value(const Step& step, std::int64_t ticks) const;
    [[nodiscard]] Value path_value(const Path& path, std::int64_t ticks = 0) const;
    /// The prefix of the lasso that was found and so many rounds of its circle.
    [[nodiscard]] Path unrolled(int rounds);
    [[nodiscard]] Value to_value() const;

private:
    void add_bounds(std::vector<std::string>& bounds_hit) const;
    static std::int64_t count_ticks(const Path& path);

    std::unique_ptr<Rules> rules_;
    Request request_;
    std::unique_ptr<Space> space_;
    SearchResult result_;
    LivenessResult liveness_;
};

}  // namespace electionlab::check
