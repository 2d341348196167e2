#include "electionlab/check/search.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <map>
#include <mutex>
#include <set>
#include <span>
#include <thread>

#include "electionlab/check/visited.h"
#include "electionlab/core/errors.h"

namespace electionlab::check {
namespace {

using Clock = std::chrono::steady_clock;

bool leads(const Space& space, World world) {
    for (NodeId node = 1; node <= space.actors(); ++node) {
        if (space.node(world, node).view.leads()) {
            return true;
        }
    }
    return false;
}

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

// A few threads that do numbered pieces of work; the caller is one of them.
class Crew {
public:
    explicit Crew(int threads) {
        for (int i = 1; i < threads; ++i) {
            threads_.emplace_back([this, i] { live(i); });
        }
    }
    Crew(const Crew&) = delete;
    Crew& operator=(const Crew&) = delete;
    ~Crew() {
        {
            const std::scoped_lock lock(mutex_);
            ends_ = true;
        }
        wake_.notify_all();
        for (std::thread& thread : threads_) {
            thread.join();
        }
    }

    /// work(thread, piece) for each piece; the first exception comes through when all have stopped.
    void run(std::size_t pieces, const std::function<void(int, std::size_t)>& work) {
        if (threads_.empty() || pieces <= 1) {
            for (std::size_t piece = 0; piece < pieces; ++piece) {
                work(0, piece);
            }
            return;
        }
        {
            const std::scoped_lock lock(mutex_);
            work_ = &work;
            pieces_ = pieces;
            next_ = 0;
            failure_ = nullptr;
            busy_ = static_cast<int>(threads_.size());
            ++round_;
        }
        wake_.notify_all();
        share(0);
        std::unique_lock lock(mutex_);
        done_.wait(lock, [this] { return busy_ == 0; });
        if (failure_) {
            std::rethrow_exception(failure_);
        }
    }

private:
    void share(int thread) {
        for (;;) {
            const std::size_t piece = next_.fetch_add(1);
            if (piece >= pieces_) {
                return;
            }
            try {
                (*work_)(thread, piece);
            } catch (...) {
                const std::scoped_lock lock(mutex_);
                if (!failure_) {
                    failure_ = std::current_exception();
                }
                next_ = pieces_;
            }
        }
    }
    void live(int thread) {
        std::uint64_t seen = 0;
        for (;;) {
            {
                std::unique_lock lock(mutex_);
                wake_.wait(lock, [&] { return ends_ || round_ != seen; });
                if (ends_) {
                    return;
                }
                seen = round_;
            }
            share(thread);
            const std::scoped_lock lock(mutex_);
            if (--busy_ == 0) {
                done_.notify_one();
            }
        }
    }

    std::vector<std::thread> threads_;
    std::mutex mutex_;
    std::condition_variable wake_, done_;
    const std::function<void(int, std::size_t)>* work_ = nullptr;
    std::size_t pieces_ = 0;
    std::atomic<std::size_t> next_{0};
    std::exception_ptr failure_;
    std::uint64_t round_ = 0;
    int busy_ = 0;
    bool ends_ = false;
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
        : space_(space), settings_(settings), crew_(settings.threads), start_(Clock::now()) {
        workers_.resize(static_cast<std::size_t>(settings.threads));
        transitions_.resize(workers_.size());
        worlds_.resize(workers_.size());
        built_.resize(workers_.size());
        looks_at_states_ = space.settings().properties != 0 || space.settings().at_a_time ||
                           !space.settings().always.empty() || !settings.sometimes.empty();
        all_wanted_ = settings.sometimes.size() == 64
                          ? ~std::uint64_t{0}
                          : (std::uint64_t{1} << settings.sometimes.size()) - 1;
    }

    SearchResult run() {
        try {
            explore();
        } catch (...) {  // what was found so far is kept
            result_.failure = std::current_exception();
            result_.interrupted = true;
        }
        finish();
        return std::move(result_);
    }

private:
    static constexpr std::size_t batch = 64;  // chunks

    void explore() {
        begin();
        std::size_t part = 0, first = 0;
        while (!stops_) {
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
        const std::vector<std::uint32_t> start = space_.initial(workers_[0]);
        const std::uint64_t fingerprint = space_.fingerprint(start, workers_[0]);
        const auto part = static_cast<std::uint32_t>(fingerprint % Visited::parts);
        const StateId id = visited_.next_id(part);
        visited_.at(part).add(fingerprint, id, no_state);
        std::vector<std::uint8_t> packed;
        Frontier::pack(start, packed);
        frontier_[part].add(id, packed);
        result_.levels.push_back(1);
        result_.with_leader += leads(space_, start);
        Find find{no_state, fingerprint, space_.broken(start), wanted_in(start)};
        if (find.bits != 0 || find.wanted != 0) {
            finds_.push_back(find);
        }
        judge_level();
    }

    [[nodiscard]] std::uint64_t wanted_in(World world) const {
        std::uint64_t wanted = 0;
        for (std::size_t i = 0; i < settings_.sometimes.size(); ++i) {
            if ((seen_ >> i & 1) == 0 && settings_.sometimes[i].holds(space_, world)) {
                wanted |= std::uint64_t{1} << i;
            }
        }
        return wanted;
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

    void expand(int thread, std::size_t piece) {
        Findings& f = findings_[piece];
        f.clear();
        Space::Worker& worker = workers_[static_cast<std::size_t>(thread)];
        std::vector<Transition>& transitions = transitions_[static_cast<std::size_t>(thread)];
        std::vector<std::uint32_t>& built = built_[static_cast<std::size_t>(thread)];
        const auto look = [&](StateId id, World world) {
            transitions.clear();
            space_.expand(world, worker, transitions);
            for (const Transition& t : transitions) {
                visited_.prefetch(t.fingerprint);
            }
            f.transitions += static_cast<std::int64_t>(transitions.size());
            f.terminal += transitions.empty();
            for (const Transition& t : transitions) {
                if (t.broken != 0) {
                    f.finds.push_back({id, t.fingerprint, t.broken, 0});
                }
                if (visited_.contains(t.fingerprint)) {
                    continue;
                }
                built.clear();
                space_.build(world, t, built);
                const World next(built);
                if (looks_at_states_) {
                    const Find find{id, t.fingerprint, space_.broken(next), wanted_in(next)};
                    if (find.bits != 0 || find.wanted != 0) {
                        f.finds.push_back(find);
                    }
                }
                const std::size_t at = f.packed.size();
                Frontier::pack(next, f.packed);
                f.candidates[t.fingerprint % Visited::parts].push_back(
                    {t.fingerprint, id, static_cast<std::uint32_t>(at),
                     static_cast<std::uint32_t>(f.packed.size() - at), leads(space_, next)});
            }
        };
        const auto [part, chunk] = pieces_[piece];
        frontier_[part].for_each_in(chunk, worlds_[static_cast<std::size_t>(thread)], look);
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
        if (stops_ || found == 0) {
            result_.exhausted = found == 0;
            return false;
        }
        note_bytes();
        for (std::uint32_t part = 0; part < Visited::parts; ++part) {
            frontier_[part] = std::move(next_[part]);
            next_[part].clear();
        }
        const auto depth = static_cast<std::int64_t>(result_.levels.size()) - 1;
        if (space_.settings().bounds.depth && depth >= *space_.settings().bounds.depth) {
            hit("depth");
            return false;
        }
        return true;
    }

    void judge_level() {
        std::sort(finds_.begin(), finds_.end(), [](const Find& a, const Find& b) {
            return std::pair(a.fingerprint, a.from) < std::pair(b.fingerprint, b.from);
        });
        for (const Find& find : finds_) {
            for (std::uint64_t bits = find.bits & ~broken_; bits != 0; bits &= bits - 1) {
                const auto bit = static_cast<std::size_t>(std::countr_zero(bits));
                broken_ |= std::uint64_t{1} << bit;
                result_.violations.push_back({space_.invariants()[bit], path_to(find)});
                stops_ = stops_ || settings_.stop_at_first;
                if (settings_.stop_at_first) {
                    break;
                }
            }
            for (std::uint64_t bits = find.wanted & ~seen_; bits != 0; bits &= bits - 1) {
                const auto bit = static_cast<std::size_t>(std::countr_zero(bits));
                seen_ |= std::uint64_t{1} << bit;
                witnesses_[bit] = path_to(find);
            }
            if (stops_) {
                break;
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
        path.worlds.push_back(space_.initial(workers_[0]));
        std::vector<Transition> transitions;
        for (std::size_t i = 0; i < wanted.size(); ++i) {
            transitions.clear();
            const std::vector<std::uint32_t> world = path.worlds.back();
            space_.expand(world, workers_[0], transitions);
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

    void hit(const char* bound) {
        if (std::find(result_.bounds_hit.begin(), result_.bounds_hit.end(), bound) ==
            result_.bounds_hit.end()) {
            result_.bounds_hit.emplace_back(bound);
        }
    }

    [[nodiscard]] double seconds() const {
        return std::chrono::duration<double>(Clock::now() - start_).count();
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
    void note_bytes() { result_.peak_bytes = std::max(result_.peak_bytes, bytes()); }

    // After each batch: bounds, and whether the caller wants to go on.
    void tell() {
        const Bounds& bounds = space_.settings().bounds;
        note_bytes();
        const auto states = static_cast<std::int64_t>(visited_.size());
        if (bounds.states && states >= *bounds.states) {
            hit("states");
            stops_ = true;
        }
        if (bounds.memory_bytes && bytes() >= *bounds.memory_bytes) {
            hit("memory");
            stops_ = true;
        }
        if (bounds.seconds && seconds() >= *bounds.seconds) {
            hit("seconds");
            stops_ = true;
        }
        if (!settings_.sometimes.empty() && seen_ == all_wanted_ && space_.invariants().empty()) {
            stops_ = true;
        }
        if (settings_.progress && !settings_.progress(progress(states))) {
            result_.interrupted = true;
            stops_ = true;
        }
        if (stops_) {
            judge_level();  // what was found so far at this distance is the shortest as well
        }
    }

    [[nodiscard]] Progress progress(std::int64_t states) const {
        std::size_t waiting = 0;
        for (const Frontier& part : next_) {
            waiting += part.size();
        }
        return {states, result_.transitions, static_cast<std::int64_t>(result_.levels.size()) - 1,
                static_cast<std::int64_t>(waiting), bytes(), seconds()};
    }

    void finish() {
        result_.states = static_cast<std::int64_t>(visited_.size());
        result_.depth = static_cast<std::int64_t>(result_.levels.size()) - 1;
        for (const Space::Worker& worker : workers_) {
            if (worker.cut_off.epoch) {
                hit("epoch");
            }
            if (worker.cut_off.messages) {
                hit("messages");
            }
            if (worker.cut_off.copies) {
                hit("copies");
            }
        }
        for (std::size_t i = 0; i < settings_.sometimes.size(); ++i) {
            const auto place = witnesses_.find(i);
            result_.witnesses.push_back(
                {settings_.sometimes[i].name,
                 place == witnesses_.end() ? std::nullopt : std::optional<Path>(place->second)});
        }
        result_.seconds = seconds();
        const auto n = static_cast<double>(result_.states);
        result_.omission_probability = n * n / 0x1p65;
    }

    Space& space_;
    const SearchSettings& settings_;
    Crew crew_;
    Clock::time_point start_;
    std::vector<Space::Worker> workers_;
    std::vector<std::vector<Transition>> transitions_;
    std::vector<std::vector<std::uint32_t>> worlds_;  // of each thread
    std::vector<std::vector<std::uint32_t>> built_;
    bool looks_at_states_;
    std::uint64_t all_wanted_;
    Visited visited_;
    Frontier frontier_[Visited::parts];
    Frontier next_[Visited::parts];
    std::vector<std::pair<std::size_t, std::size_t>> pieces_;  // part and chunk
    std::vector<Findings> findings_;
    std::vector<Find> finds_;          // of this level
    std::map<std::size_t, Path> witnesses_;
    std::uint64_t broken_ = 0, seen_ = 0;
    bool stops_ = false;
    SearchResult result_;
};

}  // namespace

SearchResult search(Space& space, const SearchSettings& settings) {
    return BreadthFirst(space, settings).run();
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
