#include "electionlab/services/key_value.h"

#include <algorithm>
#include <utility>

namespace electionlab::kv {

namespace {

bool matches(const KeyValue& kv, std::string_view key, bool prefix) {
    return prefix ? std::string_view(kv.key).substr(0, key.size()) == key : kv.key == key;
}

template <class Keys>
auto place_of(Keys& keys, std::string_view key) {
    return std::lower_bound(keys.begin(), keys.end(), key,
                            [](const KeyValue& kv, std::string_view k) { return kv.key.compare(k) < 0; });
}

}  // namespace

const KeyValue* Store::find(std::string_view key) const {
    const auto place = place_of(keys, key);
    return place != keys.end() && place->key == key ? &*place : nullptr;
}

const GrantedLease* Store::find_lease(LeaseId id) const {
    const auto found = std::find_if(leases.begin(), leases.end(),
                                    [&](const GrantedLease& l) { return l.id == id; });
    return found == leases.end() ? nullptr : &*found;
}

std::vector<KeyValue> Store::range(const Range& asked) const {
    std::vector<KeyValue> found;
    for (const KeyValue& kv : keys) {
        const bool early =
            asked.max_create_revision == 0 || kv.create_revision <= asked.max_create_revision;
        if (early && matches(kv, asked.prefix, true)) {
            found.push_back(kv);
        }
    }
    // Two keys cannot have one create revision: a transaction here puts one.
    std::sort(found.begin(), found.end(), [&](const KeyValue& a, const KeyValue& b) {
        return asked.order == Order::first_created ? a.create_revision < b.create_revision
                                                   : a.create_revision > b.create_revision;
    });
    if (asked.limit > 0 && std::cmp_greater(found.size(), asked.limit)) {
        found.resize(static_cast<std::size_t>(asked.limit));
    }
    return found;
}

LeaseId Store::grant(Duration ttl) {
    leases.push_back({++last_lease, ttl});
    return last_lease;
}

bool Store::revoke(LeaseId id) {
    if (find_lease(id) == nullptr) {
        return false;
    }
    std::erase_if(leases, [&](const GrantedLease& l) { return l.id == id; });
    const auto tied = [&](const KeyValue& kv) { return kv.lease == id; };
    if (std::any_of(keys.begin(), keys.end(), tied)) {
        ++revision;
        for (const KeyValue& kv : keys) {
            if (tied(kv)) {
                note(true, kv);
            }
        }
        std::erase_if(keys, tied);
    }
    return true;
}

TxnReply Store::commit(const Txn& txn) {
    const KeyValue* there = find(txn.key);
    TxnReply reply{txn.request, revision, false, false, {}};
    if ((there == nullptr ? 0 : there->create_revision) != txn.create_revision) {
        if (there != nullptr) {
            reply.kv = *there;
        }
        return reply;
    }
    if (txn.then == Then::put) {
        if (txn.lease != no_lease && find_lease(txn.lease) == nullptr) {
            reply.lease_not_found = true;
            return reply;
        }
        ++revision;
        put(txn);
    } else if (there != nullptr) {
        ++revision;
        note(true, *there);
        keys.erase(place_of(keys, txn.key));
    }
    reply.succeeded = true;
    reply.revision = revision;
    return reply;
}

void Store::put(const Txn& txn) {
    auto place = place_of(keys, txn.key);
    if (place == keys.end() || place->key != txn.key) {
        place = keys.insert(place, {txn.key, 0, revision, 0, 0, no_lease});
    }
    place->value = txn.value;
    place->mod_revision = revision;
    ++place->version;
    place->lease = txn.lease;
    note(false, *place);
}

void Store::note(bool deleted, KeyValue kv) {
    kv.mod_revision = revision;
    history.push_back({deleted, std::move(kv)});
    if (history.size() > most_history) {
        compacted = history.front().kv.mod_revision;
        std::erase_if(history, [&](const Event& e) { return e.kv.mod_revision <= compacted; });
    }
}

std::vector<Event> Store::events(std::string_view key, bool prefix, Revision from) const {
    std::vector<Event> found;
    for (const Event& event : history) {
        if (event.kv.mod_revision >= from && matches(event.kv, key, prefix)) {
            found.push_back(event);
        }
    }
    return found;
}

bool Service::takes(NodeId client, std::int64_t request) {
    for (Connection& connection : connections) {
        if (connection.client == client) {
            const bool newer = request > connection.newest;
            connection.newest = std::max(connection.newest, request);
            return newer;
        }
    }
    connections.push_back({client, request});
    return true;
}

void Service::renew(LeaseId id, Instant ends) {
    drop(id);
    expiries.push_back({id, ends});
}

void Service::drop(LeaseId id) {
    std::erase_if(expiries, [&](const Expiry& e) { return e.id == id; });
}

void Service::promote(const Store& store, Instant now, Duration extend) {
    for (const GrantedLease& lease : store.leases) {
        renew(lease.id, now + lease.ttl + extend);
    }
}

std::vector<LeaseId> Service::expired(Instant now) const {
    std::vector<LeaseId> found;
    for (const Expiry& expiry : expiries) {
        if (expiry.at <= now) {
            found.push_back(expiry.id);
        }
    }
    return found;
}

Instant Service::next_poll(Duration interval) const {
    Instant first = Instant::never();
    for (const Expiry& expiry : expiries) {
        first = std::min(first, expiry.at);
    }
    return first == Instant::never() ? first : poll_at_or_after(started, interval, first);
}

void Service::cancel(NodeId client, std::int64_t watch) {
    std::erase_if(watches, [&](const Watch& w) { return w.client == client && w.watch == watch; });
}

bool Service::makes_way(NodeId client, const WatchCreate& asked) {
    for (const Watch& watch : watches) {
        if (watch.client == client && watch.watch == asked.watch && watch.request > asked.request) {
            return false;
        }
    }
    cancel(client, asked.watch);
    return true;
}

Instant poll_at_or_after(Instant first, Duration interval, Instant at) {
    if (interval.ns == 0 || at <= first) {
        return at;
    }
    const std::int64_t polls = ((at - first).ns + interval.ns - 1) / interval.ns;
    return first + interval * polls;
}

}  // namespace electionlab::kv
