// A key-value service as etcd's: revisions, leases, transactions, watches.
//
// Source:      etcd 3.5: api/etcdserverpb/rpc.proto, server/storage/mvcc (revisions), server/lease/
//              lessor.go (leases), client/v3/lease.go and watch.go (what a client sends).
// Modelled:    one revision for the whole store that rises with every transaction that writes; a
//              key's create and mod revision and version; keys tied to a lease, deleted together,
//              in one revision, when it is revoked or found expired; a transaction that compares
//              a create revision; ranges by prefix in the order of creation; watches from a
//              revision on, out of the history; compaction; leases with a full new term after a
//              restart (Promote).
// Left out:    other comparisons and operations, values that are not numbers, users, and the
//              replication by Raft: the service is one actor that may be down.
// Deviations:  the network here may copy and overtake; a connection does not: a request that may
//              write is dropped unless it is the newest of its client, and so is one for a watch.
// Scenarios:   tests/scenarios/etcd/
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "electionlab/core/fields.h"
#include "electionlab/core/ids.h"
#include "electionlab/core/time.h"

namespace electionlab::kv {

using Revision = std::int64_t;
using LeaseId = std::int64_t;
inline constexpr LeaseId no_lease = 0;

struct KeyValue {
    std::string key;
    std::int64_t value = 0;
    Revision create_revision = 0;
    Revision mod_revision = 0;
    std::int64_t version = 0;  ///< 1 when created
    LeaseId lease = no_lease;
    EL_FIELDS(KeyValue, key, value, create_revision, mod_revision, version, lease)
};

/// A put or a deletion; `kv.mod_revision` is when.
struct Event {
    bool deleted = false;
    KeyValue kv;
    EL_FIELDS(Event, deleted, kv)
};

// --- messages, that a protocol's variant takes up; a reply has the number of its request --------

struct LeaseGrant {
    std::int64_t request = 0;
    Duration ttl;
    EL_FIELDS(LeaseGrant, request, ttl)
};
struct LeaseGrantReply {
    std::int64_t request = 0;
    LeaseId lease = no_lease;
    Duration ttl;
    EL_FIELDS(LeaseGrantReply, request, lease, ttl)
};
struct LeaseKeepAlive {
    LeaseId lease = no_lease;
    Instant sent_at;  ///< sender's clock, sent back: a stream of etcd's matches them by their order
    EL_FIELDS(LeaseKeepAlive, lease, sent_at)
};
struct LeaseKeepAliveReply {
    LeaseId lease = no_lease;
    Instant sent_at;
    Duration ttl;  ///< 0: there is no such lease
    EL_FIELDS(LeaseKeepAliveReply, lease, sent_at, ttl)
};
struct LeaseRevoke {
    std::int64_t request = 0;
    LeaseId lease = no_lease;
    EL_FIELDS(LeaseRevoke, request, lease)
};

enum class Order : std::uint8_t { first_created, last_created };
constexpr std::string_view enum_name(Order order) {
    constexpr std::string_view names[] = {"first_created", "last_created"};
    return static_cast<std::size_t>(order) < 2 ? names[static_cast<std::size_t>(order)] : "";
}
struct Range {
    std::int64_t request = 0;
    std::string prefix;
    Order order = Order::first_created;
    Revision max_create_revision = 0;  ///< 0: any
    std::int64_t limit = 0;            ///< 0: all
    EL_FIELDS(Range, request, prefix, order, max_create_revision, limit)
};
struct RangeReply {
    std::int64_t request = 0;
    Revision revision = 0;  ///< of the store, as it answered
    std::vector<KeyValue> kvs;
    EL_FIELDS(RangeReply, request, revision, kvs)
};

enum class Then : std::uint8_t { put, erase };
constexpr std::string_view enum_name(Then then) {
    constexpr std::string_view names[] = {"put", "erase"};
    return static_cast<std::size_t>(then) < 2 ? names[static_cast<std::size_t>(then)] : "";
}
/// If the key's create revision is this one (0: there is no such key) put or delete it, else get it.
struct Txn {
    std::int64_t request = 0;
    std::string key;
    Revision create_revision = 0;
    Then then = Then::put;
    std::int64_t value = 0;
    LeaseId lease = no_lease;
    EL_FIELDS(Txn, request, key, create_revision, then, value, lease)
};
struct TxnReply {
    std::int64_t request = 0;
    Revision revision = 0;
    bool succeeded = false;
    bool lease_not_found = false;  ///< an error; nothing was done
    std::optional<KeyValue> kv;    ///< what there is instead
    EL_FIELDS(TxnReply, request, revision, succeeded, lease_not_found, kv)
};

/// Makes a watch of the client's, or makes it again: its events from a revision on.
struct WatchCreate {
    std::int64_t request = 0;
    std::int64_t watch = 0;
    std::string key;
    bool prefix = false;  ///< `key` is one
    Revision start_revision = 0;
    EL_FIELDS(WatchCreate, request, watch, key, prefix, start_revision)
};
struct WatchCancel {
    std::int64_t watch = 0;
    EL_FIELDS(WatchCancel, watch)
};
struct WatchReply {
    std::int64_t watch = 0;
    std::string key;         ///< that is watched
    bool compacted = false;  ///< the history does not reach back so far; the watch is over
    std::vector<Event> events;
    EL_FIELDS(WatchReply, watch, key, compacted, events)
};

// --- the service --------------------------------------------------------------------------------

struct GrantedLease {
    LeaseId id = no_lease;
    Duration ttl;
    EL_FIELDS(GrantedLease, id, ttl)
};

/// What the service writes down.
struct Store {
    Revision revision = 1;  ///< an empty store has 1, as in etcd
    Revision compacted = 0;
    LeaseId last_lease = no_lease;
    std::vector<KeyValue> keys;         ///< ascending by key
    std::vector<GrantedLease> leases;   ///< ascending by id
    std::vector<Event> history;         ///< since `compacted`
    EL_FIELDS(Store, revision, compacted, last_lease, keys, leases, history)

    static constexpr std::size_t most_history = 128;  ///< events; the oldest are compacted

    [[nodiscard]] const KeyValue* find(std::string_view key) const;
    [[nodiscard]] const GrantedLease* find_lease(LeaseId id) const;
    [[nodiscard]] std::vector<KeyValue> range(const Range& asked) const;

    LeaseId grant(Duration ttl);
    /// Deletes the lease's keys, in one revision; false: there is no such lease.
    bool revoke(LeaseId id);
    TxnReply commit(const Txn& txn);
    /// What happened to a key, or a prefix, from a revision on.
    [[nodiscard]] std::vector<Event> events(std::string_view key, bool prefix, Revision from) const;

private:
    void put(const Txn& txn);
    void note(bool deleted, KeyValue kv);
};

struct Watch {
    NodeId client = no_node;
    std::int64_t watch = 0;
    std::string key;
    bool prefix = false;
    std::int64_t request = 0;  ///< that made it
    Revision next = 0;         ///< the first revision that it has not been told of
    EL_FIELDS(Watch, client, watch, key, prefix, request, next)
};
struct Expiry {
    LeaseId id = no_lease;
    Instant at;  ///< on the service's clock
    EL_FIELDS(Expiry, id, at)
};
struct Connection {
    NodeId client = no_node;
    std::int64_t newest = 0;  ///< number of its newest request that may write
    EL_FIELDS(Connection, client, newest)
};

/// What the service loses in a crash.
struct Service {
    Instant started;  ///< own clock: its polls for expired leases count from here
    std::vector<Watch> watches;
    std::vector<Expiry> expiries;
    std::vector<Connection> connections;
    EL_FIELDS(Service, started, watches, expiries, connections)

    /// Whether the request is the newest of its client; if so it is remembered.
    bool takes(NodeId client, std::int64_t request);
    /// The lease ends so late, unless it is renewed.
    void renew(LeaseId id, Instant ends);
    void drop(LeaseId id);
    /// All leases anew, as the lessor does when it becomes primary.
    void promote(const Store& store, Instant now, Duration extend);
    /// Leases that are over by now.
    [[nodiscard]] std::vector<LeaseId> expired(Instant now) const;
    /// The poll that finds the next lease expired; never: there is none.
    [[nodiscard]] Instant next_poll(Duration interval) const;

    /// Takes a watch, unless it has a newer one of that name, and tells what it has missed.
    template <class Effects>
    void watch(const Store& store, NodeId client, const WatchCreate& asked, Effects& effects) {
        if (!makes_way(client, asked)) {
            return;
        }
        if (asked.start_revision <= store.compacted) {
            effects.send(client, WatchReply{asked.watch, asked.key, true, {}});
            return;
        }
        watches.push_back({client, asked.watch, asked.key, asked.prefix, asked.request,
                           asked.start_revision});
        tell(store, watches.back(), effects);
    }
    void cancel(NodeId client, std::int64_t watch);
    /// Tells all watches what they have not been told.
    template <class Effects>
    void tell(const Store& store, Effects& effects) {
        for (Watch& watch : watches) {
            tell(store, watch, effects);
        }
    }

private:
    /// Ends the watch that this one replaces; false: that one is newer.
    bool makes_way(NodeId client, const WatchCreate& asked);
    template <class Effects>
    static void tell(const Store& store, Watch& watch, Effects& effects) {
        if (watch.next > store.revision) {
            return;
        }
        std::vector<Event> events = store.events(watch.key, watch.prefix, watch.next);
        watch.next = store.revision + 1;
        if (!events.empty()) {
            effects.send(watch.client, WatchReply{watch.watch, watch.key, false, std::move(events)});
        }
    }
};

/// The first poll of a row that began at `first`, one each `interval`, that is not before `at`;
/// `at` itself for an interval of 0.
Instant poll_at_or_after(Instant first, Duration interval, Instant at);

}  // namespace electionlab::kv
