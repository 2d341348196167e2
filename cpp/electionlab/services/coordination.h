// A coordination service as ZooKeeper's, and the client that talks to it: a tree of small files
// (znodes), sessions that end in silence, and watches that tell of one change.
//
// Source:      P. Hunt, M. Konar, F. P. Junqueira, B. Reed, "ZooKeeper: Wait-free Coordination for
//              Internet-scale Systems", USENIX ATC 2010, section 2; the ZooKeeper Programmer's
//              Guide (data model, sessions, watches); the project's server and Java client where
//              these are silent (bucketed expiry, 2/3 of the time-out, watches set again,
//              cversion).
// Modelled:    create, delete, exists, getData, setData, getChildren, multi; ephemeral and
//              sequential znodes; versions; zxids; one-shot watches on data, existence and
//              children; sessions, pings, expiry, reconnection; a transaction is durable before it
//              is answered.
// Left out:    the servers behind the service and their elections (one actor, always up to date;
//              after a restart sessions get their whole time-out again, as from a new leader of the
//              ensemble); passwords, access lists, several requests under way at once.
// Deviations:  a connection is a number, as messages here can be lost, copied and overtaken, which
//              TCP would mend: who sees that something is missing counts the connection as silent.
//              A client sets its watches again in Connect itself (ZooKeeper: SetWatches, next). The
//              number of a client's starts stands for its port: no message of an earlier life is
//              taken for one of this.
//
// Used by a protocol that has `Database` on its disk, `Desk` and `Client` in its memory, the
// messages below in its variant, and the timers `tick`, `ping` and `silence`. Nothing here sends
// anything: what should happen is written down in `ServiceWork` and `ClientWork`, and `carry_out`
// does it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "electionlab/core/fields.h"
#include "electionlab/node/effects.h"

namespace electionlab::coordination {

/// The number of a transaction: changes are numbered in their order, without gaps.
using Zxid = std::int64_t;
/// The zxid that created the session, so that none is used twice; 0: none.
using SessionId = std::int64_t;

inline constexpr std::int64_t any_version = -1;

enum class Code : std::uint8_t {
    ok,
    no_node,
    node_exists,
    bad_version,
    not_empty,
    no_children_for_ephemerals
};
constexpr std::string_view enum_name(Code code) {
    constexpr std::string_view names[] = {"ok",          "no_node",   "node_exists",
                                          "bad_version", "not_empty", "no_children_for_ephemerals"};
    return static_cast<std::size_t>(code) < 6 ? names[static_cast<std::size_t>(code)] : "";
}

enum class EventType : std::uint8_t { created, deleted, data_changed, children_changed };
constexpr std::string_view enum_name(EventType type) {
    constexpr std::string_view names[] = {"created", "deleted", "data_changed", "children_changed"};
    return static_cast<std::size_t>(type) < 4 ? names[static_cast<std::size_t>(type)] : "";
}

/// What a watch waits for: getData and exists set `data`, exists of nothing `existence`,
/// getChildren `children`. The first two fire alike; they differ when a watch is set again.
enum class WatchKind : std::uint8_t { data, existence, children };
constexpr std::string_view enum_name(WatchKind kind) {
    constexpr std::string_view names[] = {"data", "existence", "children"};
    return static_cast<std::size_t>(kind) < 3 ? names[static_cast<std::size_t>(kind)] : "";
}

struct Watch {
    WatchKind kind = WatchKind::data;
    std::string path;
    EL_FIELDS(Watch, kind, path)
};

/// What exists and getData tell about a znode.
struct Stat {
    Zxid czxid = 0;             ///< created it
    Zxid mzxid = 0;             ///< last changed its data
    Zxid pzxid = 0;             ///< last changed its children
    std::int64_t version = 0;   ///< changes of its data
    std::int64_t cversion = 0;  ///< changes of its children
    SessionId ephemeral_owner = 0;
    std::int64_t num_children = 0;
    EL_FIELDS(Stat, czxid, mzxid, pzxid, version, cversion, ephemeral_owner, num_children)
};

// --- messages: client to service -----------------------------------------------------------------

/// Opens a session (session 0), or a new connection of one.
struct Connect {
    SessionId session = 0;
    std::int64_t life = 0;        ///< starts of the client so far
    std::int64_t connection = 0;  ///< rises with each attempt of this life
    Zxid last_zxid = 0;           ///< seen by the client
    std::vector<Watch> watches;   ///< to be set again, or to fire now
    EL_FIELDS(Connect, session, life, connection, last_zxid, watches)
};

/// Who asks, and the how manieth request of this connection it is.
struct Call {
    SessionId session = 0;
    std::int64_t connection = 0;
    std::int64_t xid = 0;
    EL_FIELDS(Call, session, connection, xid)
};

/// A heartbeat; `call.xid` is that of the last request.
struct Ping {
    Call call;
    EL_FIELDS(Ping, call)
};
struct Create {
    Call call;
    std::string path;
    std::string data;
    bool ephemeral = false;
    bool sequential = false;
    EL_FIELDS(Create, call, path, data, ephemeral, sequential)
};
struct Delete {
    Call call;
    std::string path;
    std::int64_t version = any_version;
    EL_FIELDS(Delete, call, path, version)
};
struct SetData {
    Call call;
    std::string path;
    std::string data;
    std::int64_t version = any_version;
    EL_FIELDS(SetData, call, path, data, version)
};
struct Exists {
    Call call;
    std::string path;
    bool watch = false;
    EL_FIELDS(Exists, call, path, watch)
};
struct GetData {
    Call call;
    std::string path;
    bool watch = false;
    EL_FIELDS(GetData, call, path, watch)
};
struct GetChildren {
    Call call;
    std::string path;
    bool watch = false;
    EL_FIELDS(GetChildren, call, path, watch)
};

enum class OpKind : std::uint8_t { create, remove, set, check };
constexpr std::string_view enum_name(OpKind kind) {
    constexpr std::string_view names[] = {"create", "remove", "set", "check"};
    return static_cast<std::size_t>(kind) < 4 ? names[static_cast<std::size_t>(kind)] : "";
}

/// One change of a `Multi`.
struct Op {
    OpKind kind = OpKind::check;
    std::string path;
    std::string data;
    std::int64_t version = any_version;
    bool ephemeral = false;
    bool sequential = false;
    EL_FIELDS(Op, kind, path, data, version, ephemeral, sequential)
};
/// All of it or nothing, under one zxid.
struct Multi {
    Call call;
    std::vector<Op> ops;
    EL_FIELDS(Multi, call, ops)
};
/// Ends the session: its ephemerals go at once.
struct CloseSession {
    Call call;
    EL_FIELDS(CloseSession, call)
};

// --- messages: service to client -----------------------------------------------------------------

struct Connected {
    SessionId session = 0;
    std::int64_t life = 0;
    std::int64_t connection = 0;
    EL_FIELDS(Connected, session, life, connection)
};
/// The session is over: the only way in which a client learns it.
struct Expired {
    SessionId session = 0;
    EL_FIELDS(Expired, session)
};
/// This connection is none (any more): another has taken its place, or the service has restarted.
struct ConnectionClosed {
    SessionId session = 0;
    std::int64_t connection = 0;
    EL_FIELDS(ConnectionClosed, session, connection)
};
/// The answer to a ping.
struct Pong {
    SessionId session = 0;
    std::int64_t connection = 0;
    bool complete = false;  ///< every request up to the ping's xid has arrived
    std::int64_t sent = 0;  ///< replies and events sent so far
    EL_FIELDS(Pong, session, connection, complete, sent)
};
/// Replies and events are numbered in one order, and a client takes them in it.
struct Reply {
    SessionId session = 0;
    std::int64_t connection = 0;
    std::int64_t order = 0;
    std::int64_t xid = 0;
    Zxid zxid = 0;  ///< of the last transaction
    Code code = Code::ok;
    std::string path;          ///< of create: as created, with its number
    std::optional<Stat> stat;  ///< of create, setData, exists and getData
    std::string data;
    std::vector<std::string> children;  ///< names, ascending
    EL_FIELDS(Reply, session, connection, order, xid, zxid, code, path, stat, data, children)
};
struct WatchEvent {
    SessionId session = 0;
    std::int64_t connection = 0;
    std::int64_t order = 0;
    Zxid zxid = 0;  ///< of the last transaction
    EventType type = EventType::created;
    std::string path;
    EL_FIELDS(WatchEvent, session, connection, order, zxid, type, path)
};

using Request =
    std::variant<Create, Delete, SetData, Exists, GetData, GetChildren, Multi, CloseSession>;
using ToService = std::variant<Connect, Ping, Create, Delete, SetData, Exists, GetData, GetChildren,
                               Multi, CloseSession>;
using ToClient = std::variant<Connected, Expired, ConnectionClosed, Pong, Reply, WatchEvent>;

/// All of these, and then a protocol's own.
template <class... Own>
using Messages = std::variant<Connect, Ping, Create, Delete, SetData, Exists, GetData, GetChildren,
                              Multi, CloseSession, Connected, Expired, ConnectionClosed, Pong,
                              Reply, WatchEvent, Own...>;

namespace detail {
template <class T, class Variant>
inline constexpr bool one_of = false;
template <class T, class... Kinds>
inline constexpr bool one_of<T, std::variant<Kinds...>> = (std::same_as<T, Kinds> || ...);
}  // namespace detail

template <class T>
concept ForService = detail::one_of<T, ToService>;
template <class T>
concept ForClient = detail::one_of<T, ToClient>;

// --- options -------------------------------------------------------------------------------------

struct SessionOptions {
    Duration session_timeout = ms(300);
    Duration tick = ms(50);
    DurationRange connect_timeout{ms(50), ms(100)};
    DurationRange ping_interval{};

    template <class Self, class Visit>
    static void describe(Self& self, Visit&& option) {
        option("session_timeout_ms", self.session_timeout,
               "Silence after which the service ends a session, rounded up to its next tick.");
        option("tick_ms", self.tick,
               "How often the service looks for silent sessions; 2 to 20 ticks are a session's "
               "time-out.");
        option("connect_timeout_ms", self.connect_timeout,
               "Range of the time after which a client that got no answer tries again to connect; "
               "above a round trip.");
        option("ping_interval_ms", self.ping_interval,
               "Range of the time after which a client that has sent nothing pings; 0: a third of "
               "the session time-out, as ZooKeeper's own client.");
    }
    /// Throws `InvalidArgument` naming the option.
    void validate() const;

    /// Ticks without a word that a session survives, and one more: the next tick is near.
    [[nodiscard]] std::int64_t session_ticks() const {
        return (session_timeout.ns + tick.ns - 1) / tick.ns + 1;
    }
    /// ZooKeeper's client gives its connection up after 2/3 of the time-out, and pings twice in it.
    [[nodiscard]] Duration read_timeout() const { return {session_timeout.ns * 2 / 3}; }
    [[nodiscard]] TimerSpec ping_timer() const {
        return ping_interval.max.ns > 0 ? TimerSpec::between(ping_interval)
                                        : TimerSpec::fixed({session_timeout.ns / 3});
    }
};

// --- the service ---------------------------------------------------------------------------------

struct Znode {
    std::string path;
    std::string data;
    Zxid czxid = 0;
    Zxid mzxid = 0;
    Zxid pzxid = 0;
    std::int64_t version = 0;
    std::int64_t creates = 0;  ///< children ever created: the next sequential one's number
    std::int64_t children = 0;
    SessionId owner = 0;  ///< of an ephemeral znode
    EL_FIELDS(Znode, path, data, czxid, mzxid, pzxid, version, creates, children, owner)

    [[nodiscard]] Stat stat() const;
};

struct Session {
    SessionId id = 0;
    NodeId client = no_node;
    EL_FIELDS(Session, id, client)
};

/// What outlives a crash of the service: the tree, the sessions, the last zxid.
struct Database {
    Zxid zxid = 0;
    std::vector<Znode> znodes;      ///< ascending by path
    std::vector<Session> sessions;  ///< ascending by id
    EL_FIELDS(Database, zxid, znodes, sessions)

    [[nodiscard]] const Znode* find(std::string_view path) const;
    [[nodiscard]] const Session* find_session(SessionId id) const;
    /// Names of the children, ascending.
    [[nodiscard]] std::vector<std::string> children_of(std::string_view path) const;
};

/// A tree with these persistent znodes, made by nobody's session; a parent comes before its child.
Database make_database(const std::vector<std::pair<std::string, std::string>>& paths_and_data);

/// What the service knows of a session's connection; lost in a crash.
struct Connection {
    SessionId session = 0;
    std::int64_t number = 0;      ///< 0: none since the service started
    std::int64_t taken = 0;       ///< xid of the last request
    std::int64_t sent = 0;        ///< order of the last reply or event
    std::int64_t ticks_left = 0;  ///< until the session expires
    std::vector<Watch> watches;
    EL_FIELDS(Connection, session, number, taken, sent, ticks_left, watches)
};

struct Desk {
    std::vector<Connection> connections;  ///< one for each session, ascending
    EL_FIELDS(Desk, connections)
};

/// What the service wants done after an input.
struct ServiceWork {
    std::vector<std::pair<NodeId, ToClient>> sends;
    std::vector<Note> notes;
    bool persist = false;
};

/// The service: functions over its durable and its volatile part.
class Service {
public:
    Service(Database& database, Desk& desk, const SessionOptions& options, ServiceWork& work)
        : db_(database), desk_(desk), options_(options), work_(work) {}

    /// It starts (again): nobody is connected, and every session has its whole time-out.
    void start();
    void receive(NodeId client, const ToService& message);
    /// A tick: sessions that were silent too long end.
    void tick();
    /// A session that exists from the start, with its connection 1 and these ephemerals and
    /// watches.
    void admit(NodeId client, const std::vector<Op>& ephemerals, std::vector<Watch> watches);

private:
    struct Change {
        EventType type;
        std::string path;
    };
    void on(NodeId client, const Connect& m);
    void on(NodeId client, const Ping& m);
    template <class Asked>
    void on(NodeId client, const Asked& m);

    void answer(Connection& c, const Create& m, Reply& reply);
    void answer(Connection& c, const Delete& m, Reply& reply);
    void answer(Connection& c, const SetData& m, Reply& reply);
    void answer(Connection& c, const Multi& m, Reply& reply);
    void answer(Connection& c, const Exists& m, Reply& reply);
    void answer(Connection& c, const GetData& m, Reply& reply);
    void answer(Connection& c, const GetChildren& m, Reply& reply);
    void answer(Connection& c, const CloseSession& m, Reply& reply);

    Connection* find(SessionId session);
    Connection* connection_of(NodeId client, const Call& call);
    SessionId open_session(NodeId client);
    void end_session(SessionId session);
    void commit(SessionId session, const std::vector<Op>& ops, Reply& reply);
    Code apply(Database& db, SessionId session, Zxid zxid, const Op& op,
               std::vector<Change>& changes, Reply& reply) const;
    void fire(const std::vector<Change>& changes);
    void tell(Connection& c, EventType type, const std::string& path);
    void set_again(Connection& c, const Connect& m);

    Database& db_;
    Desk& desk_;
    const SessionOptions& options_;
    ServiceWork& work_;
};

// --- the client ----------------------------------------------------------------------------------

/// A client's session, as ZooKeeper's handle: `connecting` and `connected` may alternate; only the
/// service's word ends it.
enum class Link : std::uint8_t { none, connecting, connected };
constexpr std::string_view enum_name(Link link) {
    constexpr std::string_view names[] = {"none", "connecting", "connected"};
    return static_cast<std::size_t>(link) < 3 ? names[static_cast<std::size_t>(link)] : "";
}

/// A reply or an event that has overtaken another.
struct Early {
    std::int64_t order = 0;
    std::optional<Reply> reply;
    std::optional<WatchEvent> event;
    EL_FIELDS(Early, order, reply, event)
};

struct Client {
    Link link = Link::none;
    SessionId session = 0;
    std::int64_t life = 0;
    std::int64_t connection = 0;       ///< of the last attempt
    std::int64_t xid = 0;              ///< of the last request of this connection
    bool waiting = false;              ///< for its reply
    std::optional<Watch> asked_watch;  ///< what that request is to watch
    std::int64_t received = 0;         ///< order of the last reply or event
    Zxid last_zxid = 0;
    std::vector<Watch> watches;  ///< set and not fired
    std::vector<Early> early;    ///< ascending
    EL_FIELDS(Client, link, session, life, connection, xid, waiting, asked_watch, received,
              last_zxid, watches, early)

    [[nodiscard]] bool idle() const { return link == Link::connected && !waiting; }
    [[nodiscard]] bool watches_path(std::string_view path) const;
};

/// What a client's user is told, in this order.
struct Happening {
    enum class Kind : std::uint8_t {
        opened,        ///< a new session
        reconnected,   ///< the same session again
        disconnected,  ///< the request under way, if any, may have been done or not
        expired,       ///< and its ephemerals are gone
        reply,
        event,
    };
    Kind kind;
    Reply reply{};
    WatchEvent event{};
};

struct ClientWork {
    std::vector<ToService> sends;
    std::vector<Happening> happenings;
    std::vector<Note> notes;
    std::optional<TimerSpec> ping;     ///< set anew
    std::optional<TimerSpec> silence;  ///< set anew
    bool cancel_ping = false;
    bool cancel_silence = false;
};

/// The client: functions over its state.
class ClientPart {
public:
    ClientPart(Client& client, const SessionOptions& options, ClientWork& work)
        : c_(client), options_(options), work_(work) {}

    /// Opens a session; `life` as in `Connect`.
    void open(std::int64_t life);
    /// As if it had opened a session at the start that `Service::admit` knows.
    void admitted(SessionId session, std::int64_t life, Zxid last_zxid, std::vector<Watch> watches);
    /// Only when `client.idle()`.
    void ask(Request request);
    void receive(const ToClient& message);
    void ping_due();
    /// Silence: of a connection for 2/3 of the time-out, of an attempt for `connect_timeout`.
    void silence();

private:
    void connect();
    void disconnect();
    void alive();
    void on(const Connected& m);
    void on(const Expired& m);
    void on(const ConnectionClosed& m);
    void on(const Pong& m);
    void on(const Reply& m) { take({m.order, m, {}}, m.session, m.connection); }
    void on(const WatchEvent& m) { take({m.order, {}, m}, m.session, m.connection); }
    void take(Early message, SessionId session, std::int64_t connection);
    void take_in_order();
    void hand_over(const Reply& m);
    void hand_over(const WatchEvent& m);

    Client& c_;
    const SessionOptions& options_;
    ClientWork& work_;
};

// --- doing it ------------------------------------------------------------------------------------

template <class Effects>
void carry_out(ServiceWork& work, Effects& effects) {
    if (work.persist) {
        effects.persist();
    }
    for (const Note& note : work.notes) {
        effects.note(note.text, note.first, note.second);
    }
    for (auto& [to, message] : work.sends) {
        std::visit([&, client = to](auto& m) { effects.send(client, std::move(m)); }, message);
    }
}

/// `Timer` has `ping` and `silence`; the service is node `service`. Happenings are the caller's.
template <class Timer, class Effects>
void carry_out(ClientWork& work, NodeId service, Effects& effects) {
    for (const Note& note : work.notes) {
        effects.note(note.text, note.first, note.second);
    }
    if (work.cancel_ping) {
        effects.cancel_timer(Timer::ping);
    }
    if (work.cancel_silence) {
        effects.cancel_timer(Timer::silence);
    }
    if (work.ping) {
        effects.set_timer(Timer::ping, *work.ping);
    }
    if (work.silence) {
        effects.set_timer(Timer::silence, *work.silence);
    }
    for (ToService& message : work.sends) {
        std::visit([&](auto& m) { effects.send(service, std::move(m)); }, message);
    }
}

}  // namespace electionlab::coordination
