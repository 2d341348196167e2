#include "electionlab/check/collector.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace electionlab::check {

bool has_leader(const Space& space, World world) {
    for (NodeId node = 1; node <= space.actors(); ++node) {
        if (space.node(world, node).view.leads()) {
            return true;
        }
    }
    return false;
}

Collector::Collector(const Space& space, const SearchSettings& settings)
    : space_(space),
      settings_(settings),
      looks_at_states_(space.settings().properties != 0 || space.settings().at_a_time ||
                       !space.settings().always.empty() || !settings.sometimes.empty()),
      witnesses_(settings.sometimes.size()) {}

std::uint64_t Collector::wanted_in(World world) const {
    std::uint64_t wanted = 0;
    for (std::size_t i = 0; i < settings_.sometimes.size(); ++i) {
        if ((seen_ >> i & 1) == 0 && settings_.sometimes[i].holds(space_, world)) {
            wanted |= std::uint64_t{1} << i;
        }
    }
    return wanted;
}

void Collector::found(std::uint64_t bits, std::uint64_t wanted, const std::function<Path()>& path) {
    std::optional<Path> way;
    for (bits &= ~broken_; bits != 0; bits &= bits - 1) {
        const auto bit = static_cast<std::size_t>(std::countr_zero(bits));
        way = way ? way : path();
        broken_ |= std::uint64_t{1} << bit;
        result.violations.push_back({space_.invariants()[bit], *way});
        if (settings_.stop_at_first) {
            stops_ = true;
            break;
        }
    }
    for (wanted &= ~seen_; wanted != 0; wanted &= wanted - 1) {
        const auto bit = static_cast<std::size_t>(std::countr_zero(wanted));
        way = way ? way : path();
        seen_ |= std::uint64_t{1} << bit;
        witnesses_[bit] = *way;
    }
}

bool Collector::has_all() const {
    return !settings_.sometimes.empty() && space_.invariants().empty() &&
           std::all_of(witnesses_.begin(), witnesses_.end(),
                       [](const auto& witness) { return witness.has_value(); });
}

bool Collector::goes_on(std::int64_t states, std::int64_t frontier, std::int64_t bytes) {
    const Bounds& bounds = space_.settings().bounds;
    result.peak_bytes = std::max(result.peak_bytes, bytes);
    if (bounds.states && states >= *bounds.states) {
        hit("states");
        stops_ = true;
    }
    if (bounds.memory_bytes && bytes >= *bounds.memory_bytes) {
        hit("memory");
        stops_ = true;
    }
    if (bounds.seconds && seconds() >= *bounds.seconds) {
        hit("seconds");
        stops_ = true;
    }
    if (has_all()) {
        stops_ = true;
    }
    if (settings_.progress &&
        !settings_.progress({states, result.transitions, result.depth, frontier, bytes, seconds()})) {
        result.interrupted = true;
        stops_ = true;
    }
    return !stops_;
}

void Collector::hit(const char* bound) {
    if (std::find(result.bounds_hit.begin(), result.bounds_hit.end(), bound) ==
        result.bounds_hit.end()) {
        result.bounds_hit.emplace_back(bound);
    }
}

void Collector::hit(const CutOff& cut_off) {
    if (cut_off.epoch) {
        hit("epoch");
    }
    if (cut_off.messages) {
        hit("messages");
    }
    if (cut_off.copies) {
        hit("copies");
    }
}

double Collector::seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
}

SearchResult Collector::finish(std::int64_t states) {
    result.states = states;
    for (std::size_t i = 0; i < settings_.sometimes.size(); ++i) {
        result.witnesses.push_back({settings_.sometimes[i].name, std::move(witnesses_[i])});
    }
    result.seconds = seconds();
    return std::move(result);
}

}  // namespace electionlab::check
