#include "electionlab/check/search.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "electionlab/check/collector.h"
#include "electionlab/check/crew.h"
#include "electionlab/check/visited.h"
#include "electionlab/core/errors.h"

namespace electionlab::check {
namespace {

// Worlds that wait to be looked at: number, length and words, in as few bytes as each needs.
class Frontier {
public:
    /// `world` as `pack` wrote it.
    void add(StateId id, std::span<const std::uint8_t> world) {
        if (count_++ % chunk == 0) {
            const std::size_t usual = chunks_.empty() ? 0 : chunks_.back().size();
            chunks_.emplace_back().reserve(usual + usual / 8);
        }
        std::vector<std::uint8_t>& out = chunks_.back();
        put(id, out);
        out.insert(out.end(), world.begin(), world.end());
    }
    static void pack(World world, std::vector<std::uint8_t>& out) {
        put(static_cast<std::uint32_t>(world.size()), out);
        for (const std::uint32_t word : world) {
            put(word, out);
        }
    }
    [[nodiscard]] std::size_t size() const { return count_; }
    [[nodiscard]] std::size_t chunks() const { return chunks_.size(); }
    /// visit(number, world) for each world of a chunk; `scratch` is the caller's to lend.
    template <class Visit>
    void for_each_in(std::size_t number, std::vector<std::uint32_t>& scratch, Visit&& visit) const {
        const std::uint8_t* at = chunks_[number].data();
        const std::uint8_t* const end = at + chunks_[number].size();
        while (at != end) {
            const StateId id = get(at);
            scratch.resize(get(at));
            for (std::uint32_t& word : scratch) {
                word = get(at);
            }
            visit(id, World(scratch));
        }
    }
    [[nodiscard]] std::size_t bytes() const {
        std::size_t sum = 0;
        for (const auto& each : chunks_) {
            sum += each.capacity();
        }
        return sum;
    }
    /// Lets go of a chunk that was looked at.
    void forget(std::size_t number) { chunks_[number] = {}; }
    void clear() {
        chunks_.clear();
        count_ = 0;
    }

    static constexpr std::size_t chunk = 128;  // states

private:
    // Seven bits a byte, the low ones first; the highest bit says that more follow.
    static void put(std::uint32_t word, std::vector<std::uint8_t>& out) {
        for (; word >= 0x80; word >>= 7) {
            out.push_back(static_cast<std::uint8_t>(word | 0x80));
        }
        out.push_back(static_cast<std::uint8_t>(word));
    }
    static std::uint32_t get(const std::uint8_t*& at) {
        std::uint32_t word = *at & 0x7fU;
        for (unsigned shift = 7; (*at++ & 0x80U) != 0; shift += 7) {
            word |= (*at & 0x7fU) << shift;
        }
        return word;
    }

    std::vector<std::vector<std::uint8_t>> chunks_;
    std::size_t count_ = 0;
};

// A transition that breaks something, or a state that does, or that somebody waited for.
struct Find {
    StateId from = no_state;         // no_state: the start itself
    std::uint64_t fingerprint = 0;   // of the state it leads to
    std::uint64_t bits = 0;          // invariants broken
    std::uint64_t wanted = 0;        // `sometimes` that hold
};

// What a thread found in a chunk of the frontier: states that may be new, in order.
struct Findings {
    struct Candidate {
        std::uint64_t fingerprint;
        StateId parent;
        std::uint32_t at;            // in `packed`
        std::uint32_t length;
        bool leads;                  // somebody does
    };
    std::vector<Candidate> candidates[Visited::parts];
    std::vector<std::uint8_t> packed;
    std::vector<Find> finds;
    std::int64_t transitions = 0;
    std::int64_t terminal = 0;
    std::int64_t with_leader[Visited::parts] = {};

    void clear() {
        for (auto& list : candidates) {
            list.clear();
        }
        packed.clear();
        finds.clear();
        transitions = terminal = 0;
        std::fill(std::begin(with_leader), std::end(with_leader), 0);
    }
};

class BreadthFirst {
public:
    BreadthFirst(Space& space, const SearchSettings& settings)
        : space_(space), crew_(settings.threads), all_(space, settings), result_(all_.result) {
        looking_.resize(static_cast<std::size_t>(settings.threads));
    }

    SearchResult run() {
        try {
            explore();
        } catch (...) {  // what was found so far is kept
            result_.failure = std::current_exception();
            result_.interrupted = true;
        }
        return finish();
    }

private:
    static constexpr std::size_t batch = 64;  // chunks
    static constexpr std::size_t group = 8;   // states

    // A state whose steps are known: the first of them, and where its words are.
    struct Expanded {
        StateId id;
        std::size_t first, at, length;
    };
    // What one thread needs for itself.
    struct Looking {
        Space::Worker worker;
        std::vector<Expanded> group;
        std::vector<Transition> transitions;
        std::vector<std::uint32_t> words, world, built;
    };

    void explore() {
        begin();
        std::size_t part = 0, first = 0;
        while (!all_.stops()) {
            if (part == Visited::parts) {
                if (!next_level()) {
                    break;
                }
                part = first = 0;
                continue;
            }
            // A batch: the next chunks of the frontier, in order.
            pieces_.clear();
            while (part < Visited::parts && pieces_.size() < batch) {
                if (first < frontier_[part].chunks()) {
                    pieces_.emplace_back(part, first++);
                } else {
                    ++part;
                    first = 0;
                }
            }
            if (!pieces_.empty()) {
                look_at_batch();
                tell();
            }
        }
    }

    void begin() {
        const std::vector<std::uint32_t> start = space_.initial(looking_[0].worker);
        const std::uint64_t fingerprint = space_.fingerprint(start, looking_[0].worker);
        const auto part = static_cast<std::uint32_t>(fingerprint % Visited::parts);
        const StateId id = visited_.next_id(part);
        visited_.at(part).add(fingerprint, id, no_state);
        std::vector<std::uint8_t> packed;
        Frontier::pack(start, packed);
        frontier_[part].add(id, packed);
        result_.levels.push_back(1);
        result_.with_leader += has_leader(space_, start);
        Find find{no_state, fingerprint, space_.broken(start), all_.wanted_in(start)};
        if (find.bits != 0 || find.wanted != 0) {
            finds_.push_back(find);
        }
        judge_level();
    }

    void look_at_batch() {
        findings_.resize(std::max(findings_.size(), pieces_.size()));
        crew_.run(pieces_.size(), [this](int thread, std::size_t piece) { expand(thread, piece); });
        // Each part of the table has one thread, which takes what was found in the order of the
        // frontier: the outcome is the same for any number of threads.
        crew_.run(Visited::parts, [this](int, std::size_t part) { take(static_cast<std::uint32_t>(part)); });
        for (std::size_t piece = 0; piece < pieces_.size(); ++piece) {
            const Findings& f = findings_[piece];
            result_.transitions += f.transitions;
            result_.terminal += f.terminal;
            for (const std::int64_t count : f.with_leader) {
                result_.with_leader += count;
            }
            finds_.insert(finds_.end(), f.finds.begin(), f.finds.end());
            frontier_[pieces_[piece].first].forget(pieces_[piece].second);
        }
    }

    // States are looked at in groups: all their steps are known, and on the way from memory, before
    // the first is looked up.
    void expand(int thread, std::size_t piece) {
        Findings& f = findings_[piece];
        f.clear();
        Looking& own = looking_[static_cast<std::size_t>(thread)];
        const auto look_at_group = [&] {
            for (std::size_t i = 0; i < own.group.size(); ++i) {
                look(own.group[i], i + 1 < own.group.size() ? own.group[i + 1].first
                                                            : own.transitions.size(), own, f);
            }
            own.group.clear();
            own.transitions.clear();
            own.words.clear();
        };
        const auto [part, chunk] = pieces_[piece];
        frontier_[part].for_each_in(chunk, own.world, [&](StateId id, World world) {
            const std::size_t first = own.transitions.size();
            space_.expand(world, own.worker, own.transitions);
            for (std::size_t i = first; i < own.transitions.size(); ++i) {
                visited_.prefetch(own.transitions[i].fingerprint);
            }
            own.group.push_back({id, first, own.words.size(), world.size()});
            own.words.insert(own.words.end(), world.begin(), world.end());
            if (own.group.size() == group) {
                look_at_group();
            }
        });
        look_at_group();
    }

    void look(const Expanded& state, std::size_t end, Looking& own, Findings& f) {
        const World world(own.words.data() + state.at, state.length);
        f.transitions += static_cast<std::int64_t>(end - state.first);
        f.terminal += end == state.first;
        for (std::size_t i = state.first; i < end; ++i) {
            const Transition& t = own.transitions[i];
            if (t.broken != 0) {
                f.finds.push_back({state.id, t.fingerprint, t.broken, 0});
            }
            if (visited_.contains(t.fingerprint)) {
                continue;
            }
            own.built.clear();
            space_.build(world, t, own.built);
            const World next(own.built);
            if (all_.looks_at_states()) {
                const Find find{state.id, t.fingerprint, space_.broken(next), all_.wanted_in(next)};
                if (find.bits != 0 || find.wanted != 0) {
                    f.finds.push_back(find);
                }
            }
            const std::size_t at = f.packed.size();
            Frontier::pack(next, f.packed);
            f.candidates[t.fingerprint % Visited::parts].push_back(
                {t.fingerprint, state.id, static_cast<std::uint32_t>(at),
                 static_cast<std::uint32_t>(f.packed.size() - at), has_leader(space_, next)});
        }
    }

    void take(std::uint32_t part) {
        VisitedPart& table = visited_.at(part);
        for (std::size_t piece = 0; piece < pieces_.size(); ++piece) {
            Findings& f = findings_[piece];
            const auto& list = f.candidates[part];
            for (std::size_t i = 0; i < list.size(); ++i) {
                if (i + 8 < list.size()) {
                    table.prefetch(list[i + 8].fingerprint);
                }
                const Findings::Candidate& c = list[i];
                if (table.contains(c.fingerprint)) {
                    continue;
                }
                const StateId id = visited_.next_id(part);
                table.add(c.fingerprint, id, c.parent);
                f.with_leader[part] += c.leads;
                next_[part].add(id, {&f.packed[c.at], c.length});
            }
        }
    }

    // Everything at this distance was looked at: what was found there is the shortest.
    bool next_level() {
        std::size_t found = 0;
        for (const Frontier& part : next_) {
            found += part.size();
        }
        judge_level();
        if (found != 0) {
            result_.levels.push_back(static_cast<std::int64_t>(found));
        }
        if (all_.stops() || found == 0) {
            result_.exhausted = found == 0;
            return false;
        }
        for (std::uint32_t part = 0; part < Visited::parts; ++part) {
            frontier_[part] = std::move(next_[part]);
            next_[part].clear();
        }
        const auto depth = static_cast<std::int64_t>(result_.levels.size()) - 1;
        if (space_.settings().bounds.depth && depth >= *space_.settings().bounds.depth) {
            all_.hit("depth");
            return false;
        }
        return true;
    }

    void judge_level() {
        std::sort(finds_.begin(), finds_.end(), [](const Find& a, const Find& b) {
            return std::pair(a.fingerprint, a.from) < std::pair(b.fingerprint, b.from);
        });
        for (const Find& find : finds_) {
            if (!all_.has_enough()) {
                all_.found(find.bits, find.wanted, [&] { return path_to(find); });
            }
        }
        finds_.clear();
    }

    [[nodiscard]] Path path_to(const Find& find) {
        std::vector<std::uint64_t> wanted{find.fingerprint};
        for (StateId id = find.from; id != no_state; id = visited_.parent(id)) {
            wanted.push_back(visited_.fingerprint_of(id));
        }
        if (find.from == no_state) {
            wanted.pop_back();
        } else {
            wanted.pop_back();  // the start
        }
        std::reverse(wanted.begin(), wanted.end());
        Path path;
        path.worlds.push_back(space_.initial(looking_[0].worker));
        std::vector<Transition> transitions;
        for (std::size_t i = 0; i < wanted.size(); ++i) {
            transitions.clear();
            const std::vector<std::uint32_t> world = path.worlds.back();
            space_.expand(world, looking_[0].worker, transitions);
            const bool last = i + 1 == wanted.size();
            const auto fits = [&](const Transition& t) {
                if (t.fingerprint != wanted[i]) {
                    return false;
                }
                if (!last || find.bits == 0) {
                    return true;
                }
                std::vector<std::uint32_t> next;
                space_.build(world, t, next);
                return ((t.broken | space_.broken(next)) & find.bits) == find.bits;
            };
            const auto t = std::find_if(transitions.begin(), transitions.end(), fits);
            EL_ASSERT(t != transitions.end());
            path.steps.push_back(t->step);
            path.worlds.emplace_back();
            space_.build(world, *t, path.worlds.back());
        }
        return path;
    }

    [[nodiscard]] std::int64_t bytes() const {
        std::size_t sum = visited_.bytes();
        for (std::uint32_t part = 0; part < Visited::parts; ++part) {
            sum += frontier_[part].bytes() + next_[part].bytes();
        }
        for (const Findings& f : findings_) {
            sum += f.packed.capacity();
        }
        return static_cast<std::int64_t>(sum);
    }

    // After each batch: bounds, and whether the caller wants to go on.
    void tell() {
        std::size_t waiting = 0;
        for (const Frontier& part : next_) {
            waiting += part.size();
        }
        result_.depth = static_cast<std::int64_t>(result_.levels.size()) - 1;
        if (!all_.goes_on(static_cast<std::int64_t>(visited_.size()),
                          static_cast<std::int64_t>(waiting), bytes())) {
            judge_level();  // what was found so far at this distance is the shortest as well
        }
    }

    SearchResult finish() {
        result_.depth = static_cast<std::int64_t>(result_.levels.size()) - 1;
        for (const Looking& each : looking_) {
            all_.hit(each.worker.cut_off);
        }
        const auto n = static_cast<double>(visited_.size());
        result_.omission_probability = n * n / 0x1p65;
        result_.shortest = true;
        return all_.finish(static_cast<std::int64_t>(visited_.size()));
    }

    Space& space_;
    Crew crew_;
    Collector all_;
    SearchResult& result_;
    std::vector<Looking> looking_;
    Visited visited_;
    Frontier frontier_[Visited::parts];
    Frontier next_[Visited::parts];
    std::vector<std::pair<std::size_t, std::size_t>> pieces_;  // part and chunk
    std::vector<Findings> findings_;
    std::vector<Find> finds_;          // of this level
};

}  // namespace

SearchResult search_breadth_first(Space& space, const SearchSettings& settings) {
    return BreadthFirst(space, settings).run();
}

}  // namespace electionlab::check
