#include "electionlab/check/space.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>

#include "electionlab/core/errors.h"

namespace electionlab::check {
namespace {

constexpr std::uint32_t not_asked = ~std::uint32_t{0};

std::uint32_t code(Input input) {
    EL_ASSERT(input.what < (1U << 24) && input.choice < 16);
    return static_cast<std::uint32_t>(input.kind) << 28 | input.choice << 24 | input.what;
}

std::uint64_t from_sum(std::uint64_t sum) {
    const std::uint64_t hash = mix64(sum + golden_gamma);
    return hash == 0 ? 1 : hash;
}

}  // namespace

Space::Space(Rules& rules, SpaceSettings settings)
    : rules_(rules),
      settings_(std::move(settings)),
      actors_(rules.actors()),
      head_(rules.actors() + 3),
      dead_stay_dead_(settings_.budget.restarts == 0 && settings_.budget.lost_disks == 0) {
    if (settings_.timing) {
        timed_ = true;
        Timing& t = *settings_.timing;
        t.step.resize(actors_, t.tick);
        delay_least_ = t.delay.min.ns / t.tick.ns;
        delay_most_ = (t.delay.max.ns + t.tick.ns - 1) / t.tick.ns;
    }
    const Description& d = rules_.description();
    for (std::size_t i = 0; i < d.promises.size(); ++i) {
        const bool asked = (settings_.promises >> i & 1) != 0;
        promise_bits_.push_back(asked ? static_cast<std::uint32_t>(invariants_.size()) : not_asked);
        if (asked) {
            invariants_.push_back(d.promises[i]);
        }
    }
    if (settings_.per_epoch) {
        per_epoch_bit_ = static_cast<std::uint32_t>(invariants_.size());
        invariants_.emplace_back(one_leader_per_epoch);
    }
    for (std::size_t i = 0; i < d.properties.size(); ++i) {
        if ((settings_.properties >> i & 1) != 0) {
            invariants_.push_back(d.properties[i]);
        }
    }
    if (settings_.at_a_time) {
        invariants_.emplace_back(one_leader_at_a_time);
    }
    for (const Predicate& predicate : settings_.always) {
        invariants_.push_back(predicate.name);
    }
    for (const BetweenPredicate& predicate : settings_.between) {
        invariants_.push_back(predicate.name);
    }
    if (invariants_.size() > 64) {
        invalid("invariants", std::to_string(invariants_.size()), "must be at most 64");
    }
    if (settings_.commands.size() > places[commands].bits) {
        invalid("commands", std::to_string(settings_.commands.size()),
                "must be at most " + std::to_string(places[commands].bits));
    }

    std::vector<NodeId> names(actors_);
    std::iota(names.begin(), names.end(), NodeId{1});
    if (settings_.symmetry) {
        const auto members = names.begin() + rules_.members();
        do {
            names_.push_back(names);
        } while (std::next_permutation(names.begin(), members));
    } else {
        names_.push_back(std::move(names));
    }
    make_partitions();
    histories_.add({{}, std::vector<std::uint64_t>(names_.size(), 0)});
    history_numbers_[{}] = 0;
}

// Every split of all actors in two, if none are given.
void Space::make_partitions() {
    if (settings_.budget.partitions == 0 && !settings_.budget.cut_from_start) {
        return;
    }
    auto family = settings_.budget.partition_family;
    if (family.empty()) {
        for (std::uint64_t side = 1; side < (std::uint64_t{1} << (actors_ - 1)); ++side) {
            std::vector<std::vector<NodeId>> groups(2);
            for (NodeId node = 1; node <= actors_; ++node) {
                // The last actor is always on the first side, so that each split comes once.
                groups[node < actors_ ? side >> (node - 1) & 1 : 0].push_back(node);
            }
            family.push_back(std::move(groups));
        }
    }
    const auto add = [&](const std::vector<std::vector<NodeId>>& groups, bool one_way) {
        Partition partition{groups, one_way, std::vector<std::uint64_t>(actors_, 0)};
        for (std::size_t a = 0; a < groups.size(); ++a) {
            for (std::size_t b = 0; b < groups.size(); ++b) {
                if (a == b || (one_way && a > b)) {
                    continue;
                }
                for (const NodeId from : groups[a]) {
                    for (const NodeId to : groups[b]) {
                        partition.cut[from - 1] |= std::uint64_t{1} << (to - 1);
                    }
                }
            }
        }
        partitions_.push_back(std::move(partition));
    };
    for (const auto& groups : family) {
        add(groups, false);
        if (settings_.budget.one_way && groups.size() == 2) {
            add(groups, true);
            add({groups[1], groups[0]}, true);
        }
    }
    const std::size_t most = (std::size_t{1} << places[cut].bits) - 1;
    if (partitions_.size() > most) {
        invalid("partitions", std::to_string(partitions_.size()) + " of them",
                "must be at most " + std::to_string(most) + "; give fewer");
    }
}

std::vector<std::uint32_t> Space::initial(Worker& worker) {
    std::vector<std::uint32_t> world(head_, 0);
    if (settings_.budget.cut_from_start) {
        const std::uint64_t used = with(0, cut, 1);
        world[actors_ + 1] = static_cast<std::uint32_t>(used);
        world[actors_ + 2] = static_cast<std::uint32_t>(used >> 32);
    }
    for (NodeId node = 1; node <= actors_; ++node) {
        world[node - 1] = rules_.initial(node);
        const Known& start = *known(world[node - 1], {InputKind::start, 0, 0}, worker).known;
        starts_by_step_ = starts_by_step_ || start.reaction.choices > 1;
    }
    if (starts_by_step_) {
        return world;
    }
    for (NodeId node = 1; node <= actors_; ++node) {
        const Known& start = *known(world[node - 1], {InputKind::start, 0, 0}, worker).known;
        const Reaction& r = start.reaction;
        world[node - 1] = r.after;
        for (const MessageId m : r.sends) {
            const std::uint32_t id = sent(m);
            if (settings_.network != NetworkKind::duplicating ||
                std::find(world.begin() + static_cast<std::ptrdiff_t>(head_), world.end(), id) ==
                    world.end()) {
                world.push_back(id);
            }
        }
        set_timers(r, node, false, world, 0);
        if (settings_.per_epoch && r.claims) {
            world[actors_] = claim(world[actors_], rules_.local(r.after).view.epoch, node).first;
        }
    }
    sort_messages(world, head_);
    return world;
}

std::uint64_t Space::least(const std::vector<std::uint64_t>& sums) const {
    const std::uint64_t sum =
        sums.size() == 1 ? sums[0] : *std::min_element(sums.begin(), sums.end());
    return from_sum(sum);
}

void Space::sum_up(World world, std::vector<std::uint64_t>& sums) const {
    const std::size_t count = names_.size();
    sums.assign(count, counter_hash(counters(world)));
    const auto add = [&](const std::uint64_t* hashes) {
        for (std::size_t i = 0; i < count; ++i) {
            sums[i] += hashes[i];
        }
    };
    for (NodeId node = 1; node <= actors_; ++node) {
        add(local_hashes(world[node - 1]));
    }
    if (world[actors_] != 0) {
        add(history_hashes(world[actors_]));
    }
    const auto in_flight = items(world);
    if (settings_.network != NetworkKind::fifo) {
        for (const std::uint32_t id : in_flight) {
            add(item_hashes(id));
        }
        return;
    }
    std::uint64_t place = 0;  // on its link
    for (std::size_t k = 0; k < in_flight.size(); ++k) {
        const MessageInfo& m = rules_.message(in_flight[k]);
        const bool same_link = k > 0 && rules_.message(in_flight[k - 1]).from == m.from &&
                               rules_.message(in_flight[k - 1]).to == m.to;
        place = same_link ? place + 1 : 0;
        const std::uint64_t* hashes = message_hashes(in_flight[k]);
        for (std::size_t i = 0; i < count; ++i) {
            sums[i] += mix64(hashes[i] + place * golden_gamma);
        }
    }
}

std::uint64_t Space::fingerprint(World world, Worker& worker) const {
    sum_up(world, worker.sums);
    return least(worker.sums);
}

// By content, as numbers depend on which thread was first; on FIFO links by link, and there in the
// order of sending.
void Space::sort_messages(std::vector<std::uint32_t>& world, std::size_t begin) const {
    const auto first = world.begin() + static_cast<std::ptrdiff_t>(begin);
    if (settings_.network != NetworkKind::fifo) {
        std::sort(first, world.end(), [&](std::uint32_t a, std::uint32_t b) {
            const std::uint64_t x = timed_ ? items_[a].hash : rules_.message(a).hash;
            const std::uint64_t y = timed_ ? items_[b].hash : rules_.message(b).hash;
            return std::pair(x, a) < std::pair(y, b);
        });
        return;
    }
    std::stable_sort(first, world.end(), [&](MessageId a, MessageId b) {
        const MessageInfo& x = rules_.message(a);
        const MessageInfo& y = rules_.message(b);
        return std::pair(x.from, x.to) < std::pair(y.from, y.to);
    });
}

const Space::Worker::Entry& Space::known(LocalId local, Input input, Worker& worker) {
    const std::uint64_t key = std::uint64_t{local} << 32 | code(input);
    const std::size_t mask = worker.memo.size() - 1;
    for (std::size_t i = mix64(key) & mask;; i = (i + 1) & mask) {
        const Worker::Entry& entry = worker.memo[i];
        if (entry.key == key) {
            return entry;
        }
        if (entry.key == ~std::uint64_t{0}) {
            return learn(local, input, worker);
        }
    }
}

const Space::Worker::Entry& Space::learn(LocalId local, Input input, Worker& worker) {
    const std::uint32_t number = work_out(local, input);
    const Known& known = reactions_[number];
    const bool plain = known.reaction.choices == 1 && !known.too_far && known.broken == 0 &&
                       !(settings_.per_epoch && known.reaction.claims);
    const std::uint64_t given =
        input.kind == InputKind::deliver ? rules_.message(input.what).hash : 0;
    const auto place_for = [](auto& memo, std::uint64_t key) -> Worker::Entry& {
        std::size_t i = mix64(key) & (memo.size() - 1);
        while (memo[i].key != ~std::uint64_t{0}) {
            i = (i + 1) & (memo.size() - 1);
        }
        return memo[i];
    };
    if (++worker.known * 2 > worker.memo.size()) {
        std::vector<Worker::Entry> larger(worker.memo.size() * 2);
        for (const Worker::Entry& old : worker.memo) {
            if (old.key != ~std::uint64_t{0}) {
                place_for(larger, old.key) = old;
            }
        }
        worker.memo = std::move(larger);
    }
    const std::uint64_t key = std::uint64_t{local} << 32 | code(input);
    return place_for(worker.memo, key) = {key, &known, known.plain_delta - given, number, plain};
}

std::uint32_t Space::work_out(LocalId local, Input input) {
    const std::scoped_lock lock(mutex_);
    const auto [place, is_new] = numbers_.try_emplace({local, code(input)}, 0);
    if (!is_new) {
        return place->second;
    }
    Known k;
    try {
        k.reaction = rules_.react(local, input);
    } catch (...) {
        numbers_.erase(place);
        throw;
    }
    const Reaction& r = k.reaction;
    const std::size_t count = names_.size();
    if (count > 1) {
        for (std::uint32_t id = local_hashes_.size(); id < rules_.local_count(); ++id) {
            std::vector<std::uint64_t> hashes;
            for (const auto& names : names_) {
                hashes.push_back(rules_.renamed_local(id, names));
            }
            local_hashes_.add(std::move(hashes));
        }
        for (std::uint32_t id = message_hashes_.size(); id < rules_.message_count(); ++id) {
            std::vector<std::uint64_t> hashes;
            for (const auto& names : names_) {
                hashes.push_back(rules_.renamed_message(id, names));
            }
            message_hashes_.add(std::move(hashes));
        }
    }
    k.delta.assign(count, 0);
    for (std::size_t i = 0; i < count; ++i) {
        k.delta[i] = local_hashes(r.after)[i] - local_hashes(local)[i];
        for (const MessageId m : r.sends) {
            k.delta[i] += message_hashes(m)[i];
        }
    }
    k.plain_delta = k.delta[0];
    for (std::size_t i = 0; i < promise_bits_.size(); ++i) {
        if ((r.broken >> i & 1) != 0 && promise_bits_[i] != not_asked) {
            k.broken |= std::uint64_t{1} << promise_bits_[i];
        }
    }
    k.too_far = settings_.bounds.epoch && rules_.local(r.after).view.epoch > *settings_.bounds.epoch;
    const std::uint32_t number = reactions_.add(std::move(k));
    place->second = number;
    return number;
}

std::pair<std::uint32_t, bool> Space::claim(std::uint32_t history, Epoch epoch, NodeId node) {
    const std::scoped_lock lock(mutex_);
    EpochLeaders leaders = histories_[history].leaders;
    if (leaders.claim(epoch, node) != no_node) {
        return {history, false};
    }
    std::vector<std::pair<Epoch, NodeId>> key;
    for (const auto& entry : leaders.entries) {
        key.emplace_back(entry.epoch, entry.leader);
    }
    const auto [place, is_new] = history_numbers_.try_emplace(std::move(key), 0);
    if (is_new) {
        std::vector<std::uint64_t> hashes;
        for (const auto& names : names_) {
            std::uint64_t sum = 0;
            for (const auto& entry : leaders.entries) {
                std::uint64_t h = 0x1234'5678'9abc'def0ULL;
                hash_word(h, static_cast<std::uint64_t>(entry.epoch));
                hash_word(h, names[entry.leader - 1]);
                sum += h;
            }
            hashes.push_back(sum);
        }
        place->second = histories_.add({std::move(leaders), std::move(hashes)});
    }
    return {place->second, true};
}

std::uint32_t Space::item(bool timer, NodeId node, std::uint32_t what, std::int64_t least,
                          std::int64_t most) {
    const std::scoped_lock lock(mutex_);
    const auto [place, is_new] = item_numbers_.try_emplace({timer, node, what, least, most}, 0);
    if (is_new) {
        // By content: a message's number depends on which thread was first.
        std::uint64_t hash = timer ? 0x7469'6d65'7200'0001ULL : rules_.message(what).hash;
        hash_word(hash, timer ? std::uint64_t{node} << 32 | what : 0);
        hash_word(hash, static_cast<std::uint64_t>(least));
        hash_word(hash, static_cast<std::uint64_t>(most));
        place->second = items_.add({timer, node, what, static_cast<std::int32_t>(least),
                                    static_cast<std::int32_t>(most), hash});
    }
    return place->second;
}

// Its node stands still, so it may be overdue.
bool Space::waits_for_paused(const Item& each, World world) const {
    return rules_.local(world[(each.timer ? each.node : rules_.message(each.what).to) - 1]).paused;
}

void Space::tick(std::vector<std::uint32_t>& world, std::size_t begin) {
    for (std::size_t i = begin; i < begin + actors_; ++i) {
        if (rules_.local(world[i]).ages) {
            world[i] = rules_.aged(world[i]);
        }
    }
    for (std::size_t i = begin + head_; i < world.size(); ++i) {
        Item each = items_[world[i]];
        if (!each.timer && rules_.message(each.what).ages) {
            each.what = rules_.aged_message(each.what);
        }
        world[i] = item(each.timer, each.node, each.what, std::max(each.least - 1, 0),
                        std::max(each.most - 1, 0));
    }
}

Epoch Space::least_epoch(World world) const {
    Epoch least = 0;
    const auto note = [&](Epoch epoch) {
        least = epoch != 0 && (least == 0 || epoch < least) ? epoch : least;
    };
    for (NodeId node = 1; node <= actors_; ++node) {
        note(rules_.local(world[node - 1]).least_epoch);
    }
    for (const std::uint32_t id : items(world)) {
        if (is_message(id)) {
            note(rules_.message(message_of(id)).least_epoch);
        }
    }
    return least;
}

void Space::raise(std::vector<std::uint32_t>& world, Epoch by) {
    for (std::size_t i = 0; i < actors_; ++i) {
        if (rules_.local(world[i]).least_epoch != 0) {
            world[i] = rules_.raised(world[i], by);
        }
    }
    for (std::size_t i = head_; i < world.size(); ++i) {
        if (is_message(world[i]) && rules_.message(message_of(world[i])).least_epoch != 0) {
            const MessageId raised = rules_.raised_message(message_of(world[i]), by);
            if (timed_) {
                const Item each = items_[world[i]];
                world[i] = item(false, no_node, raised, each.least, each.most);
            } else {
                world[i] = raised;
            }
        }
    }
    sort_messages(world, head_);
}

// The timers that a node set and cancelled; `all`: those that it had are gone.
void Space::set_timers(const Reaction& reaction, NodeId node, bool all,
                       std::vector<std::uint32_t>& world, std::size_t begin) {
    if (!timed_) {
        return;
    }
    const auto forget = [&](std::uint32_t slot, bool any) {
        const auto first = world.begin() + static_cast<std::ptrdiff_t>(begin + head_);
        const auto is_it = [&](std::uint32_t id) {
            const Item& each = items_[id];
            return each.timer && each.node == node && (any || each.what == slot);
        };
        world.erase(std::remove_if(first, world.end(), is_it), world.end());
    };
    if (all) {
        forget(0, true);
    }
    const Timing& t = *settings_.timing;
    const Duration step = t.step[node - 1];
    const auto ticks = static_cast<double>(step.ns);
    for (const TimerChange& change : reaction.timers) {
        forget(change.slot, false);
        if (change.armed && t.drift == 0) {
            world.push_back(item(true, node, change.slot, change.spec.min.ns / step.ns,
                                 (change.spec.max.ns + step.ns - 1) / step.ns));
        } else if (change.armed) {
            const double least = static_cast<double>(change.spec.min.ns) / (1 + t.drift) / ticks;
            const double most = static_cast<double>(change.spec.max.ns) / (1 - t.drift) / ticks;
            world.push_back(item(true, node, change.slot, static_cast<std::int64_t>(std::floor(least)),
                                 static_cast<std::int64_t>(std::ceil(most))));
        }
    }
}

bool Space::is_copy_too_many(World in_flight, std::uint32_t message) const {
    if (!settings_.bounds.copies) {
        return false;
    }
    return std::count(in_flight.begin(), in_flight.end(), message) >= *settings_.bounds.copies;
}

void Space::judge_steps(World world, std::vector<Transition>& steps, std::size_t first) {
    const std::size_t bit = invariants_.size() - settings_.between.size();
    std::vector<std::uint32_t> after;
    for (std::size_t i = first; i < steps.size(); ++i) {
        after.clear();
        build(world, steps[i], after);
        for (std::size_t k = 0; k < settings_.between.size(); ++k) {
            const bool holds = settings_.between[k].holds(*this, world, after);
            steps[i].broken |= std::uint64_t{!holds} << (bit + k);
        }
    }
}

void Space::expand(World world, Worker& worker, std::vector<Transition>& out) {
    const std::size_t first_out = out.size();
    const Budget& budget = settings_.budget;
    const std::uint64_t used = counters(world);
    const auto in_flight = items(world);
    NodeId first_to_start = no_node;
    for (NodeId node = actors_; node >= 1 && starts_by_step_; --node) {
        first_to_start = rules_.local(world[node - 1]).started ? first_to_start : node;
    }
    // Then what a step adds and takes away is known without making the world.
    const bool plain = settings_.network != NetworkKind::fifo && !timed_;
    const bool keeps = settings_.network == NetworkKind::duplicating;
    bool all_go_out = !keeps && !settings_.bounds.copies && !settings_.drop_stale && get(used, cut) == 0;
    for (NodeId node = 1; node <= actors_ && dead_stay_dead_; ++node) {
        all_go_out = all_go_out && !is_dead(world[node - 1]);
    }
    sum_up(world, worker.sums);
    const std::vector<std::uint64_t>& sums = worker.sums;
    worker.locals.resize(actors_);
    for (NodeId node = 1; node <= actors_; ++node) {
        worker.locals[node - 1] = &rules_.local(world[node - 1]);
    }
    const std::size_t renamings = sums.size();
    const std::uint64_t used_hash = counter_hash(used);
    auto& added = worker.added;
    auto& dropped = worker.dropped;
    // And it is only what the handler did, and the message that it was given.
    const bool direct = plain && all_go_out && renamings == 1 && !settings_.bounds.messages;

    // The fingerprint when `delta` (nullptr: nothing), what is added and what is dropped are counted.
    const auto shifted = [&](const std::uint64_t* delta, std::uint64_t then_used) {
        const std::uint64_t also = then_used == used ? 0 : counter_hash(then_used) - used_hash;
        std::uint64_t lowest = ~std::uint64_t{0};
        for (std::size_t i = 0; i < renamings; ++i) {
            std::uint64_t sum = sums[i] + also + (delta != nullptr ? delta[i] : 0);
            for (const std::uint64_t* hashes : added) {
                sum += hashes[i];
            }
            for (const std::uint64_t* hashes : dropped) {
                sum -= hashes[i];
            }
            lowest = sum < lowest ? sum : lowest;
        }
        return from_sum(lowest);
    };
    const auto slowly = [&](Transition& t) {
        worker.scratch.clear();
        build(world, t, worker.scratch);
        sum_up(worker.scratch, worker.own);
        t.fingerprint = least(worker.own);
    };
    const auto too_many = [&](std::size_t messages_then) {
        if (settings_.bounds.messages &&
            messages_then > static_cast<std::size_t>(*settings_.bounds.messages)) {
            worker.cut_off.messages = true;
            return true;
        }
        return false;
    };
    // What of the messages in flight and of those sent is not in flight afterwards, as in `build`.
    const auto drop = [&](const Step& step, const Reaction& r, std::uint32_t taken) {
        const bool takes = step.kind == StepKind::deliver && !keeps;
        if (takes) {
            dropped.push_back(item_hashes(taken));
        }
        if (all_go_out && step.kind != StepKind::crash) {
            return;
        }
        const bool dies = step.kind == StepKind::crash && dead_stay_dead_;
        if (dies || (settings_.drop_stale && r.after != world[step.node - 1])) {
            bool taken_is_gone = !takes;
            for (const std::uint32_t id : in_flight) {
                if (!taken_is_gone && id == taken) {
                    taken_is_gone = true;
                } else if (rules_.message(id).to == step.node &&
                           (dies || is_stale(id, step.node, r.after))) {
                    dropped.push_back(item_hashes(id));
                }
            }
        }
        for (std::size_t i = 0; i < r.sends.size(); ++i) {
            const MessageId m = r.sends[i];
            bool goes = goes_out(m, step.node, r.after, world, used);
            if (goes && (keeps || settings_.bounds.copies)) {
                const auto earlier = r.sends.begin() + static_cast<std::ptrdiff_t>(i);
                const std::ptrdiff_t copies = std::count(in_flight.begin(), in_flight.end(), m) -
                                              (takes && taken == m) +
                                              std::count(r.sends.begin(), earlier, m);
                if (settings_.bounds.copies && copies >= *settings_.bounds.copies) {
                    goes = false;
                    worker.cut_off.copies = true;
                }
                goes = goes && !(keeps && copies > 0);
            }
            if (!goes) {
                dropped.push_back(message_hashes(m));
            }
        }
    };
    const auto note_cut = [&](const Step& step) {
        if (worker.cut_steps != nullptr) {
            worker.cut_steps->push_back(step);
        }
    };
    // A step that a node handles.
    const auto handle_one = [&](Step step, Input input, std::uint32_t taken, std::uint64_t then_used) {
        const Worker::Entry& entry = known(world[step.node - 1], input, worker);
        const std::uint64_t also = then_used == used ? 0 : counter_hash(then_used) - used_hash;
        if (direct && entry.plain && !(step.kind == StepKind::crash && dead_stay_dead_)) {
            out.push_back({step, entry.reaction, from_sum(sums[0] + entry.delta + also), 0});
            return std::uint32_t{1};
        }
        Transition t;
        t.reaction = entry.reaction;
        const Known& k = *entry.known;
        const std::uint32_t choices = k.reaction.choices;
        step.draw = choices > 1 ? input.choice + 1 : 0;
        t.step = step;
        if (k.too_far && !worker.ignores_epoch_bound) {
            worker.cut_off.epoch = true;
            note_cut(step);
            return choices;
        }
        const Reaction& r = k.reaction;
        if (direct && !(settings_.per_epoch && r.claims) &&
            !(step.kind == StepKind::crash && dead_stay_dead_)) {
            t.broken = k.broken;
            t.fingerprint = from_sum(sums[0] + entry.delta + also);
            out.push_back(t);
            return choices;
        }
        added.clear();
        dropped.clear();
        if (plain) {
            drop(step, r, taken);
        } else if (settings_.bounds.copies) {
            worker.cut_off.copies = worker.cut_off.copies ||
                                    std::any_of(r.sends.begin(), r.sends.end(), [&](MessageId m) {
                                        return is_copy_too_many(in_flight, sent(m));
                                    });
        }
        if (!r.sends.empty() &&
            too_many(in_flight.size() + r.sends.size() -
                     (plain ? dropped.size() : step.kind == StepKind::deliver))) {
            note_cut(step);
            return choices;
        }
        t.broken = k.broken;
        if (settings_.per_epoch && r.claims) {
            const auto [history, alone] =
                claim(world[actors_], rules_.local(r.after).view.epoch, step.node);
            if (!alone) {
                t.broken |= std::uint64_t{1} << per_epoch_bit_;
            }
            added.push_back(history_hashes(history));
            dropped.push_back(history_hashes(world[actors_]));
        }
        if (plain) {
            t.fingerprint = shifted(renamings == 1 ? &k.plain_delta : k.delta.data(), then_used);
        } else {
            slowly(t);
        }
        out.push_back(t);
        return choices;
    };
    const auto handle = [&](Step step, Input input, std::uint32_t taken, std::uint64_t then_used) {
        const std::uint32_t choices = handle_one(step, input, taken, then_used);
        for (input.choice = 1; input.choice < choices; ++input.choice) {
            handle_one(step, input, taken, then_used);
        }
    };
    // Any other; `more` and `less`: what it puts into flight and takes out.
    const auto simple = [&](Step step, std::uint64_t then_used, const std::uint64_t* more = nullptr,
                            const std::uint64_t* less = nullptr) {
        Transition t;
        t.step = step;
        if (plain) {
            added.assign(more != nullptr, more);
            dropped.assign(less != nullptr, less);
            t.fingerprint = shifted(nullptr, then_used);
        } else {
            slowly(t);
        }
        out.push_back(t);
    };

    if (first_to_start != no_node) {
        handle({StepKind::start, first_to_start, 0}, {InputKind::start, 0}, 0, used);
        return;
    }
    const bool may_lose = may(used, losses, budget.losses);
    const bool may_copy = !keeps && may(used, duplicates, budget.duplicates);
    // Most of what is ever asked: what a delivery does, where nothing else can become of a message.
    const std::size_t delivered = direct && !may_lose && !may_copy ? in_flight.size() : 0;
    for (std::size_t k = 0; k < delivered; ++k) {
        const std::uint32_t id = in_flight[k];
        if (k > 0 && in_flight[k - 1] == id) {
            continue;  // another copy
        }
        const NodeId to = rules_.message(id).to;
        const LocalInfo& receiver = *worker.locals[to - 1];
        const Step step{StepKind::deliver, to, id};
        if (!receiver.up) {
            simple({StepKind::drop_at_down, to, id}, used, nullptr, item_hashes(id));
        } else if (!receiver.paused) {
            const Worker::Entry& entry = known(world[to - 1], {InputKind::deliver, id}, worker);
            if (entry.plain) {
                out.push_back({step, entry.reaction, from_sum(sums[0] + entry.delta), 0});
            } else {
                handle(step, {InputKind::deliver, id}, id, used);
            }
        }
    }
    bool time_may_pass = timed_ && !in_flight.empty();
    for (std::size_t k = delivered; k < in_flight.size(); ++k) {
        const std::uint32_t id = in_flight[k];
        if (timed_) {
            const Item each = items_[id];
            const bool waits = waits_for_paused(each, world);
            time_may_pass = time_may_pass && (each.most > 0 || waits);
            if (k > 0 && in_flight[k - 1] == id) {
                continue;  // another copy
            }
            if (each.timer && each.least == 0 && !waits) {
                handle({StepKind::fire, each.node, each.what}, {InputKind::fire, each.what}, 0, used);
            }
            if (each.timer || each.least > 0) {
                continue;
            }
        }
        const MessageId message = message_of(id);
        const MessageInfo& m = rules_.message(message);
        if (settings_.network == NetworkKind::fifo) {
            if (k > 0 && rules_.message(in_flight[k - 1]).from == m.from &&
                rules_.message(in_flight[k - 1]).to == m.to) {
                continue;
            }
        } else if (k > 0 && in_flight[k - 1] == id) {
            continue;  // another copy
        }
        const LocalInfo& receiver = *worker.locals[m.to - 1];
        const bool in_vain = !receiver.up || is_cut(used, m.from, m.to);
        if (!in_vain && !receiver.paused) {
            handle({StepKind::deliver, m.to, id}, {InputKind::deliver, message}, id, used);
        }
        if (in_vain && settings_.network != NetworkKind::duplicating) {
            simple({StepKind::drop_at_down, m.to, id}, used, nullptr, item_hashes(id));
        } else if (may_lose) {
            simple({StepKind::lose, m.to, id}, count(used, losses, budget.losses), nullptr,
                   item_hashes(id));
        }
        if (may_copy && !too_many(in_flight.size() + 1)) {
            if (is_copy_too_many(in_flight, id)) {
                worker.cut_off.copies = true;
                continue;
            }
            simple({StepKind::duplicate, m.to, id}, count(used, duplicates, budget.duplicates),
                   item_hashes(id));
        }
    }
    const NodeId members = rules_.members();
    const bool may_fail = may(used, crashes, budget.crashes) || may(used, reboots, budget.reboots) ||
                          may(used, restarts, budget.restarts) || get(used, pauses) > 0 ||
                          may(used, lost_disks, budget.lost_disks) ||
                          may(used, pauses, budget.pauses);
    for (NodeId node = 1; node <= actors_; ++node) {
        const LocalInfo& local = *worker.locals[node - 1];
        if (local.up && !local.paused) {
            for (std::uint64_t armed = timed_ ? 0 : local.armed; armed != 0; armed &= armed - 1) {
                const auto slot = static_cast<std::uint32_t>(std::countr_zero(armed));
                handle({StepKind::fire, node, slot}, {InputKind::fire, slot}, 0, used);
            }
            for (std::uint32_t c = 0; c < settings_.commands.size(); ++c) {
                if (settings_.commands[c].node == node && (get(used, commands) >> c & 1) == 0) {
                    handle({StepKind::command, node, c}, {InputKind::command, c}, 0,
                           with(used, commands, get(used, commands) | std::uint64_t{1} << c));
                }
            }
        }
        if (node > members || !may_fail) {
            continue;
        }
        if (local.up) {
            if (may(used, crashes, budget.crashes)) {
                handle({StepKind::crash, node, 0}, {InputKind::crash, 0}, 0,
                       count(used, crashes, budget.crashes));
            }
            if (may(used, reboots, budget.reboots)) {
                handle({StepKind::reboot, node, 0}, {InputKind::reboot, 0}, 0,
                       count(used, reboots, budget.reboots));
            }
            if (!local.paused && may(used, pauses, budget.pauses)) {
                handle({StepKind::pause, node, 0}, {InputKind::pause, 0}, 0,
                       count(used, pauses, budget.pauses));
            }
            if (local.paused) {
                handle({StepKind::resume, node, 0}, {InputKind::resume, 0}, 0, used);
            }
        } else {
            if (may(used, restarts, budget.restarts)) {
                handle({StepKind::restart, node, 0}, {InputKind::restart, 0}, 0,
                       count(used, restarts, budget.restarts));
            }
            if (may(used, lost_disks, budget.lost_disks)) {
                handle({StepKind::restart_empty, node, 0}, {InputKind::restart_empty, 0}, 0,
                       count(used, lost_disks, budget.lost_disks));
            }
        }
    }
    if (time_may_pass && settings_.timing->until &&
        settings_.timing->tick * (rules_.local(world[0]).ticks + 1) > *settings_.timing->until) {
        worker.cut_off.time = true;
        note_cut({StepKind::tick, no_node, 0});
        time_was_over_ = true;
    } else if (time_may_pass) {
        simple({StepKind::tick, no_node, 0}, used);
    }
    if (get(used, cut) != 0) {
        if (budget.heals) {
            simple({StepKind::heal, no_node, 0}, with(used, cut, 0));
        }
    } else if (may(used, partitions, budget.partitions)) {
        for (std::uint32_t p = 0; p < partitions_.size(); ++p) {
            simple({StepKind::partition, no_node, p},
                   with(count(used, partitions, budget.partitions), cut, p + 1));
        }
    }
    if (!settings_.between.empty()) {
        judge_steps(world, out, first_out);
    }
}

void Space::build(World world, const Transition& transition, std::vector<std::uint32_t>& out) {
    const std::size_t begin = out.size();
    out.insert(out.end(), world.begin(), world.end());
    const Budget& budget = settings_.budget;
    std::uint64_t used = counters(world);
    const Step& step = transition.step;
    bool keeps_order = true;
    const auto take = [&](std::uint32_t id) {
        const auto place = std::find(out.begin() + static_cast<std::ptrdiff_t>(begin + head_), out.end(), id);
        EL_ASSERT(place != out.end());
        out.erase(place);
    };
    const auto put = [&](std::uint32_t id) {
        const auto first = out.begin() + static_cast<std::ptrdiff_t>(begin + head_);
        if (settings_.network == NetworkKind::duplicating &&
            std::find(first, out.end(), id) != out.end()) {
            return;
        }
        if (is_copy_too_many(World(out).subspan(begin + head_), id)) {
            return;
        }
        if (timed_ || settings_.network == NetworkKind::fifo) {
            out.push_back(id);
            keeps_order = false;
            return;
        }
        const std::pair own(rules_.message(id).hash, id);
        auto place = out.end();
        while (place != first && own < std::pair(rules_.message(*(place - 1)).hash, *(place - 1))) {
            --place;
        }
        out.insert(place, id);
    };
    switch (step.kind) {
        case StepKind::drop_at_down: take(step.what); break;
        case StepKind::lose:
            take(step.what);
            used = count(used, losses, budget.losses);
            break;
        case StepKind::duplicate:
            put(step.what);
            used = count(used, duplicates, budget.duplicates);
            break;
        case StepKind::partition:
            used = with(count(used, partitions, budget.partitions), cut, step.what + 1);
            break;
        case StepKind::heal: used = with(used, cut, 0); break;
        case StepKind::crash: used = count(used, crashes, budget.crashes); break;
        case StepKind::restart: used = count(used, restarts, budget.restarts); break;
        case StepKind::restart_empty: used = count(used, lost_disks, budget.lost_disks); break;
        case StepKind::reboot: used = count(used, reboots, budget.reboots); break;
        case StepKind::pause: used = count(used, pauses, budget.pauses); break;
        case StepKind::command:
            used = with(used, commands, get(used, commands) | std::uint64_t{1} << step.what);
            break;
        case StepKind::deliver:
            if (settings_.network != NetworkKind::duplicating) {
                take(step.what);
            }
            break;
        case StepKind::tick:
            tick(out, begin);
            keeps_order = false;
            break;
        case StepKind::fire:
        case StepKind::start:
        case StepKind::resume: break;
    }
    if (is_handled(step)) {
        const Reaction& r = reactions_[transition.reaction].reaction;
        out[begin + step.node - 1] = r.after;
        if (settings_.drop_stale && r.after != world[step.node - 1]) {
            const auto first = out.begin() + static_cast<std::ptrdiff_t>(begin + head_);
            out.erase(std::remove_if(first, out.end(),
                                     [&](std::uint32_t id) { return is_stale(id, step.node, r.after); }),
                      out.end());
        }
        for (const MessageId m : r.sends) {
            if (goes_out(m, step.node, r.after, world, used)) {
                put(sent(m));
            }
        }
        if (timed_) {
            if (step.kind == StepKind::fire) {
                const auto first = out.begin() + static_cast<std::ptrdiff_t>(begin + head_);
                const auto fired = std::find_if(first, out.end(), [&](std::uint32_t id) {
                    const Item& each = items_[id];
                    return each.timer && each.node == step.node && each.what == step.what;
                });
                EL_ASSERT(fired != out.end());
                out.erase(fired);
            }
            const bool new_life = step.kind == StepKind::crash || step.kind == StepKind::reboot;
            set_timers(r, step.node, new_life, out, begin);
            keeps_order = false;
        }
        if (settings_.per_epoch && r.claims) {
            out[begin + actors_] =
                claim(world[actors_], rules_.local(r.after).view.epoch, step.node).first;
        }
        if (step.kind == StepKind::crash && dead_stay_dead_) {  // nobody will hear these
            const auto first = out.begin() + static_cast<std::ptrdiff_t>(begin + head_);
            out.erase(std::remove_if(first, out.end(),
                                     [&](std::uint32_t id) {
                                         return is_message(id) &&
                                                rules_.message(message_of(id)).to == step.node;
                                     }),
                      out.end());
        }
    }
    out[begin + actors_ + 1] = static_cast<std::uint32_t>(used);
    out[begin + actors_ + 2] = static_cast<std::uint32_t>(used >> 32);
    if (!keeps_order) {
        sort_messages(out, begin + head_);
    }
}

// Whether a message that `node`, now in state `after`, sends can get anywhere.
bool Space::goes_out(MessageId message, NodeId node, LocalId after, World world,
                     std::uint64_t used) const {
    const MessageInfo& m = rules_.message(message);
    const LocalId receiver = m.to == node ? after : world[m.to - 1];
    return !(dead_stay_dead_ && is_dead(receiver)) && !is_cut(used, m.from, m.to) &&
           !(settings_.drop_stale && rules_.is_stale(receiver, message));
}

// By induction over all reactions seen: a stale message does nothing now, and stays stale.
std::string Space::wrongly_stale() {
    for (std::uint32_t i = 0; i < reactions_.size(); ++i) {
        const LocalId before = reactions_[i].reaction.before;
        const LocalId after = reactions_[i].reaction.after;
        for (MessageId m = 0; m < rules_.message_count(); ++m) {
            if (rules_.message(m).to != rules_.local(before).node || !rules_.is_stale(before, m)) {
                continue;
            }
            const bool stays = rules_.is_stale(after, m);
            const LocalInfo& local = rules_.local(before);
            bool acts = false;
            if (local.up && !local.paused) {
                const Reaction r = rules_.react(before, {InputKind::deliver, m});
                acts = r.after != before || !r.sends.empty() || r.broken != 0;
            }
            if (acts || !stays) {
                return "node " + std::to_string(local.node) + " calls " +
                       show(rules_.message_value(m)) + " stale, but it " +
                       (acts ? "acts on it" : "does not after another event");
            }
        }
    }
    return {};
}

std::uint64_t Space::broken(World world) const {
    std::uint64_t broken = 0;
    std::size_t bit = 0;
    for (const std::uint32_t asked : promise_bits_) {
        bit += asked != not_asked;
    }
    bit += settings_.per_epoch;
    if (settings_.properties != 0) {
        const std::uint64_t failed = rules_.broken_properties(world.first(actors_));
        for (std::uint64_t asked = settings_.properties; asked != 0; asked &= asked - 1) {
            broken |= (failed >> std::countr_zero(asked) & 1) << bit++;
        }
    }
    if (settings_.at_a_time) {
        std::size_t leaders = 0;
        for (NodeId node = 1; node <= actors_; ++node) {
            leaders += rules_.local(world[node - 1]).view.leads();
        }
        broken |= std::uint64_t{leaders > 1} << bit++;
    }
    for (const Predicate& predicate : settings_.always) {
        broken |= std::uint64_t{!predicate.holds(*this, world)} << bit++;
    }
    return broken;
}

std::string Space::partition_text_of(std::uint32_t p) const {
    std::string text;
    for (const auto& group : partitions_[p].groups) {
        text += text.empty() ? "" : partitions_[p].one_way ? " -/-> " : " | ";
        for (std::size_t i = 0; i < group.size(); ++i) {
            text += (i == 0 ? "" : " ") + std::to_string(group[i]);
        }
    }
    return text;
}

std::string Space::partition_text(World world) const {
    const std::uint64_t p = get(counters(world), cut);
    return p == 0 ? "" : partition_text_of(static_cast<std::uint32_t>(p - 1));
}

Value Space::world_value(World world) const {
    Value::List nodes;
    for (NodeId node = 1; node <= actors_; ++node) {
        nodes.push_back(rules_.local_value(world[node - 1]));
    }
    Value::List in_flight;
    for (const std::uint32_t id : items(world)) {
        if (is_message(id)) {
            in_flight.push_back(rules_.message_value(message_of(id)));
        }
    }
    return Value::Dict{{"nodes", std::move(nodes)},
                       {"messages", std::move(in_flight)},
                       {"partition", partition_text(world)}};
}

}  // namespace electionlab::check
