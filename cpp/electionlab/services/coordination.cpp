#include "electionlab/services/coordination.h"

#include <algorithm>
#include <cstdio>

#include "electionlab/core/errors.h"
#include "electionlab/node/options.h"

namespace electionlab::coordination {

namespace {

std::string parent_of(std::string_view path) {
    const std::size_t slash = path.rfind('/');
    return std::string(slash == 0 ? "/" : path.substr(0, slash));
}

// "<path>0000000001": ten digits, so that names of one prefix sort by their number.
std::string numbered(const std::string& path, std::int64_t number) {
    char digits[24];
    std::snprintf(digits, sizeof digits, "%010lld", static_cast<long long>(number));
    return path + digits;
}

template <class Znodes>
auto place_of(Znodes& znodes, std::string_view path) {
    return std::lower_bound(znodes.begin(), znodes.end(), path,
                            [](const Znode& z, std::string_view p) { return z.path.compare(p) < 0; });
}

Znode* find(Database& db, std::string_view path) {
    const auto place = place_of(db.znodes, path);
    return place != db.znodes.end() && place->path == path ? &*place : nullptr;
}

bool fires(WatchKind kind, EventType type) {
    switch (type) {
        case EventType::created:
        case EventType::data_changed:
            return kind != WatchKind::children;
        case EventType::deleted:
            return true;
        case EventType::children_changed:
            return kind == WatchKind::children;
    }
    return false;
}

// A watch is set once; a second one of the same kind is the same.
void add_watch(std::vector<Watch>& watches, const Watch& watch) {
    if (std::find(watches.begin(), watches.end(), watch) == watches.end()) {
        watches.push_back(watch);
    }
}

// Takes those that this event fires; returns whether there was one.
bool take_watches(std::vector<Watch>& watches, EventType type, std::string_view path) {
    return std::erase_if(
               watches, [&](const Watch& w) { return w.path == path && fires(w.kind, type); }) != 0;
}

}  // namespace

void SessionOptions::validate() const {
    if (session_timeout.ns <= 0) {
        invalid("session_timeout_ms", show(session_timeout.to_ms()), "must be above 0");
    }
    if (tick.ns <= 0 || tick.ns * 2 > session_timeout.ns || tick.ns * 20 < session_timeout.ns) {
        invalid("tick_ms", show(tick.to_ms()),
                "must be from a twentieth to a half of session_timeout_ms");
    }
    if (connect_timeout.min.ns <= 0) {
        invalid("connect_timeout_ms", show(electionlab::detail::option_value(connect_timeout)),
                "both ends must be above 0");
    }
    if (ping_interval.max.ns > 0 &&
        (ping_interval.min.ns <= 0 || ping_interval.max >= read_timeout())) {
        invalid("ping_interval_ms", show(electionlab::detail::option_value(ping_interval)),
                "must be 0, or both ends above 0 and below 2/3 of session_timeout_ms");
    }
}

// --- the tree ------------------------------------------------------------------------------------

Stat Znode::stat() const {
    // Of the children created and deleted, only the created are counted; the rest follows.
    return {czxid, mzxid, pzxid, version, 2 * creates - children, owner, children};
}

const Znode* Database::find(std::string_view path) const {
    const auto place = place_of(znodes, path);
    return place != znodes.end() && place->path == path ? &*place : nullptr;
}

const Session* Database::find_session(SessionId id) const {
    const auto place = std::lower_bound(sessions.begin(), sessions.end(), id,
                                        [](const Session& s, SessionId i) { return s.id < i; });
    return place != sessions.end() && place->id == id ? &*place : nullptr;
}

std::vector<std::string> Database::children_of(std::string_view path) const {
    const std::string prefix = path == "/" ? "/" : std::string(path) + "/";
    std::vector<std::string> names;
    for (auto at = place_of(znodes, prefix); at != znodes.end() && at->path.starts_with(prefix);
         ++at) {
        const std::string_view name = std::string_view(at->path).substr(prefix.size());
        if (!name.empty() && name.find('/') == std::string_view::npos) {
            names.emplace_back(name);
        }
    }
    return names;
}

Database make_database(const std::vector<std::pair<std::string, std::string>>& paths_and_data) {
    Database db;
    db.znodes.push_back({.path = "/", .data = ""});
    for (const auto& [path, data] : paths_and_data) {
        Znode* const parent = find(db, parent_of(path));
        EL_ASSERT(parent != nullptr);
        ++db.zxid;
        ++parent->creates;
        ++parent->children;
        parent->pzxid = db.zxid;
        db.znodes.insert(
            place_of(db.znodes, path),
            {.path = path, .data = data, .czxid = db.zxid, .mzxid = db.zxid, .pzxid = db.zxid});
    }
    return db;
}

// One change to the tree; of a multi, the caller throws all away if one fails.
Code Service::apply(Database& db, SessionId session, Zxid zxid, const Op& op,
                    std::vector<Change>& changes, Reply& reply) const {
    if (op.kind == OpKind::create) {
        Znode* const parent = coordination::find(db, parent_of(op.path));
        if (parent == nullptr) {
            return Code::no_node;
        }
        if (parent->owner != 0) {
            return Code::no_children_for_ephemerals;
        }
        const std::string path = op.sequential ? numbered(op.path, parent->creates) : op.path;
        if (coordination::find(db, path) != nullptr) {
            return Code::node_exists;
        }
        ++parent->creates;
        ++parent->children;
        parent->pzxid = zxid;
        Znode znode{.path = path, .data = op.data, .czxid = zxid, .mzxid = zxid, .pzxid = zxid};
        znode.owner = op.ephemeral ? session : 0;
        reply.path = path;
        reply.stat = znode.stat();
        db.znodes.insert(place_of(db.znodes, path), std::move(znode));
        changes.push_back({EventType::created, path});
        changes.push_back({EventType::children_changed, parent_of(path)});
        return Code::ok;
    }
    Znode* const znode = coordination::find(db, op.path);
    if (znode == nullptr) {
        return Code::no_node;
    }
    if (op.version != any_version && op.version != znode->version) {
        return Code::bad_version;
    }
    if (op.kind == OpKind::remove) {
        if (znode->children != 0) {
            return Code::not_empty;
        }
        db.znodes.erase(place_of(db.znodes, op.path));
        Znode* const parent = coordination::find(db, parent_of(op.path));
        --parent->children;
        parent->pzxid = zxid;
        changes.push_back({EventType::deleted, op.path});
        changes.push_back({EventType::children_changed, parent_of(op.path)});
    } else if (op.kind == OpKind::set) {
        znode->data = op.data;
        ++znode->version;
        znode->mzxid = zxid;
        reply.stat = znode->stat();
        changes.push_back({EventType::data_changed, op.path});
    }
    return Code::ok;
}

// A transaction: all of its changes or none, one zxid, durable before anybody hears of it.
void Service::commit(SessionId session, const std::vector<Op>& ops, Reply& reply) {
    const Zxid zxid = db_.zxid + 1;
    std::vector<Change> changes;
    if (ops.size() == 1) {
        reply.code = apply(db_, session, zxid, ops.front(), changes, reply);
    } else {
        Database after = db_;
        for (const Op& op : ops) {
            reply.code = apply(after, session, zxid, op, changes, reply);
            if (reply.code != Code::ok) {
                reply.path.clear();
                reply.stat.reset();
                return;
            }
        }
        db_ = std::move(after);
    }
    if (!changes.empty()) {  // else it failed, or it only checked
        db_.zxid = zxid;
        work_.persist = true;
        fire(changes);
    }
}

// --- watches -------------------------------------------------------------------------------------

void Service::fire(const std::vector<Change>& changes) {
    for (const Change& change : changes) {
        for (Connection& c : desk_.connections) {
            if (take_watches(c.watches, change.type, change.path)) {
                tell(c, change.type, change.path);
            }
        }
    }
}

void Service::tell(Connection& c, EventType type, const std::string& path) {
    work_.sends.emplace_back(db_.find_session(c.session)->client,
                             WatchEvent{c.session, c.number, ++c.sent, db_.zxid, type, path});
}

// A connection after another: a watch fires now if what it waits for has happened meanwhile.
void Service::set_again(Connection& c, const Connect& m) {
    for (const Watch& watch : m.watches) {
        const Znode* const znode = db_.find(watch.path);
        if (watch.kind == WatchKind::existence) {
            if (znode != nullptr) {
                tell(c, EventType::created, watch.path);
                continue;
            }
        } else if (znode == nullptr) {
            tell(c, EventType::deleted, watch.path);
            continue;
        } else if (watch.kind == WatchKind::data && znode->mzxid > m.last_zxid) {
            tell(c, EventType::data_changed, watch.path);
            continue;
        } else if (watch.kind == WatchKind::children && znode->pzxid > m.last_zxid) {
            tell(c, EventType::children_changed, watch.path);
            continue;
        }
        add_watch(c.watches, watch);
    }
}

// --- sessions ------------------------------------------------------------------------------------

void Service::start() {
    desk_.connections.clear();
    for (const Session& session : db_.sessions) {
        desk_.connections.push_back(
            {.session = session.id, .ticks_left = options_.session_ticks(), .watches = {}});
    }
}

Connection* Service::find(SessionId session) {
    const auto place =
        std::lower_bound(desk_.connections.begin(), desk_.connections.end(), session,
                         [](const Connection& c, SessionId s) { return c.session < s; });
    return place != desk_.connections.end() && place->session == session ? &*place : nullptr;
}

SessionId Service::open_session(NodeId client) {
    const SessionId session = ++db_.zxid;
    db_.sessions.push_back({session, client});
    desk_.connections.push_back(
        {.session = session, .ticks_left = options_.session_ticks(), .watches = {}});
    work_.persist = true;
    return session;
}

// Closed or expired: one transaction deletes what was the session's own.
void Service::end_session(SessionId session) {
    const Zxid zxid = ++db_.zxid;
    std::erase_if(db_.sessions, [&](const Session& s) { return s.id == session; });
    std::erase_if(desk_.connections, [&](const Connection& c) { return c.session == session; });
    std::vector<Op> ops;
    for (const Znode& znode : db_.znodes) {
        if (znode.owner == session) {
            ops.push_back({.kind = OpKind::remove, .path = znode.path, .data = ""});
        }
    }
    std::vector<Change> changes;
    Reply ignored;
    for (const Op& op : ops) {
        apply(db_, session, zxid, op, changes, ignored);
    }
    work_.persist = true;
    fire(changes);
}

void Service::tick() {
    std::vector<SessionId> silent;
    for (Connection& c : desk_.connections) {
        if (--c.ticks_left == 0) {
            silent.push_back(c.session);
        }
    }
    for (const SessionId session : silent) {
        const NodeId client = db_.find_session(session)->client;
        const std::int64_t number = find(session)->number;
        work_.notes.push_back(
            {"ends the session {} of node {}: not a word for too long", session, client});
        end_session(session);
        if (number != 0) {
            work_.sends.emplace_back(client, ConnectionClosed{session, number});
        }
    }
}

void Service::admit(NodeId client, const std::vector<Op>& ephemerals, std::vector<Watch> watches) {
    Connection& c = *find(open_session(client));
    c.number = 1;
    c.watches = std::move(watches);
    for (const Op& op : ephemerals) {
        std::vector<Change> changes;
        Reply ignored;
        apply(db_, c.session, ++db_.zxid, op, changes, ignored);
    }
}

// --- requests ------------------------------------------------------------------------------------

void Service::receive(NodeId client, const ToService& message) {
    std::visit([&](const auto& m) { on(client, m); }, message);
}

void Service::on(NodeId client, const Connect& m) {
    SessionId session = m.session;
    if (m.last_zxid > db_.zxid) {
        work_.notes.push_back(
            {"refuses a client that has seen zxid {}: its own last is {}", m.last_zxid, db_.zxid});
        return;
    }
    if (session == 0) {
        session = open_session(client);
    }
    Connection* const c = find(session);
    if (c == nullptr) {
        work_.sends.emplace_back(client, Expired{session});
        return;
    }
    if (m.connection <= c->number) {
        return;  // overtaken by a later attempt
    }
    *c = {.session = session,
          .number = m.connection,
          .ticks_left = options_.session_ticks(),
          .watches = {}};
    work_.sends.emplace_back(client, Connected{session, m.life, m.connection});
    set_again(*c, m);
}

// The connection that a message came on; it keeps the session alive.
Connection* Service::connection_of(NodeId client, const Call& call) {
    Connection* const c = find(call.session);
    if (c == nullptr || call.connection != c->number) {
        work_.sends.emplace_back(client, ConnectionClosed{call.session, call.connection});
        return nullptr;
    }
    c->ticks_left = options_.session_ticks();
    return c;
}

void Service::on(NodeId client, const Ping& m) {
    if (const Connection* const c = connection_of(client, m.call)) {
        work_.sends.emplace_back(client,
                                 Pong{c->session, c->number, c->taken >= m.call.xid, c->sent});
    }
}

template <class Asked>
void Service::on(NodeId client, const Asked& m) {
    Connection* c = connection_of(client, m.call);
    if (c == nullptr || m.call.xid != c->taken + 1) {
        return;  // a copy, or it has overtaken a request that is lost
    }
    c->taken = m.call.xid;
    Reply reply{.session = c->session,
                .connection = c->number,
                .xid = m.call.xid,
                .path = "",
                .stat = {},
                .data = "",
                .children = {}};
    answer(*c, m, reply);
    c = find(m.call.session);
    reply.order = c == nullptr ? 0 : ++c->sent;  // after the events that it caused
    reply.zxid = db_.zxid;
    if (c != nullptr) {
        work_.sends.emplace_back(client, std::move(reply));
    } else {
        work_.sends.emplace_back(client, Expired{m.call.session});
    }
}

void Service::answer(Connection& c, const Create& m, Reply& reply) {
    commit(c.session, {{OpKind::create, m.path, m.data, any_version, m.ephemeral, m.sequential}},
           reply);
}

void Service::answer(Connection& c, const Delete& m, Reply& reply) {
    commit(c.session, {{.kind = OpKind::remove, .path = m.path, .data = "", .version = m.version}},
           reply);
}

void Service::answer(Connection& c, const SetData& m, Reply& reply) {
    commit(c.session, {{.kind = OpKind::set, .path = m.path, .data = m.data, .version = m.version}},
           reply);
}

void Service::answer(Connection& c, const Multi& m, Reply& reply) {
    commit(c.session, m.ops, reply);
}

void Service::answer(Connection& c, const Exists& m, Reply& reply) {
    const Znode* const znode = db_.find(m.path);
    if (m.watch) {
        add_watch(c.watches, {znode != nullptr ? WatchKind::data : WatchKind::existence, m.path});
    }
    if (znode == nullptr) {
        reply.code = Code::no_node;
    } else {
        reply.stat = znode->stat();
    }
}

void Service::answer(Connection& c, const GetData& m, Reply& reply) {
    const Znode* const znode = db_.find(m.path);
    if (znode == nullptr) {
        reply.code = Code::no_node;
        return;
    }
    if (m.watch) {
        add_watch(c.watches, {WatchKind::data, m.path});
    }
    reply.data = znode->data;
    reply.stat = znode->stat();
}

void Service::answer(Connection& c, const GetChildren& m, Reply& reply) {
    const Znode* const znode = db_.find(m.path);
    if (znode == nullptr) {
        reply.code = Code::no_node;
        return;
    }
    if (m.watch) {
        add_watch(c.watches, {WatchKind::children, m.path});
    }
    reply.children = db_.children_of(m.path);
}

void Service::answer(Connection& c, const CloseSession&, Reply&) { end_session(c.session); }

// --- the client ----------------------------------------------------------------------------------

bool Client::watches_path(std::string_view path) const {
    return std::any_of(watches.begin(), watches.end(),
                       [&](const Watch& w) { return w.path == path && w.kind == WatchKind::data; });
}

void ClientPart::open(std::int64_t life) {
    const std::int64_t connection = c_.connection;
    c_ = {};
    c_.life = life;
    c_.connection = connection;  // attempts of one life are counted through
    connect();
}

void ClientPart::admitted(SessionId session, std::int64_t life, Zxid last_zxid,
                          std::vector<Watch> watches) {
    c_.link = Link::connected;
    c_.session = session;
    c_.life = life;
    c_.connection = 1;
    c_.last_zxid = last_zxid;
    c_.watches = std::move(watches);
    work_.ping = options_.ping_timer();
    alive();
}

void ClientPart::connect() {
    c_.link = Link::connecting;
    ++c_.connection;
    c_.xid = 0;
    c_.waiting = false;
    c_.asked_watch.reset();
    c_.received = 0;
    c_.early.clear();
    work_.ping.reset();
    work_.cancel_ping = true;
    work_.silence = TimerSpec::between(options_.connect_timeout);
    work_.sends.emplace_back(Connect{c_.session, c_.life, c_.connection, c_.last_zxid, c_.watches});
}

void ClientPart::disconnect() {
    work_.happenings.push_back({Happening::Kind::disconnected});
    connect();
}

void ClientPart::alive() { work_.silence = TimerSpec::fixed(options_.read_timeout()); }

void ClientPart::ask(Request request) {
    EL_ASSERT(c_.idle());
    c_.waiting = true;
    ++c_.xid;
    c_.asked_watch.reset();
    std::visit(
        [&](auto& m) {
            m.call = {c_.session, c_.connection, c_.xid};
            if constexpr (requires { m.watch; }) {
                using Asked = std::remove_cvref_t<decltype(m)>;
                const auto kind = std::same_as<Asked, GetChildren> ? WatchKind::children
                                  : std::same_as<Asked, Exists>    ? WatchKind::existence
                                                                   : WatchKind::data;
                if (m.watch) {
                    c_.asked_watch = Watch{kind, m.path};
                }
            }
            work_.sends.emplace_back(std::move(m));
        },
        request);
    work_.ping = options_.ping_timer();  // a request is as good as a ping
}

void ClientPart::ping_due() {
    work_.sends.emplace_back(Ping{{c_.session, c_.connection, c_.xid}});
    work_.ping = options_.ping_timer();
}

void ClientPart::silence() {
    if (c_.link == Link::connected) {
        work_.notes.push_back(
            {"has not heard from the service for 2/3 of its time-out: disconnected"});
        disconnect();
    } else {
        connect();
    }
}

void ClientPart::receive(const ToClient& message) {
    std::visit([&](const auto& m) { on(m); }, message);
}

void ClientPart::on(const Connected& m) {
    if (c_.link != Link::connecting || m.life != c_.life || m.connection != c_.connection ||
        (c_.session != 0 && m.session != c_.session)) {
        return;
    }
    const bool is_new = c_.session == 0;
    c_.link = Link::connected;
    c_.session = m.session;
    work_.ping = options_.ping_timer();
    alive();
    work_.happenings.push_back({is_new ? Happening::Kind::opened : Happening::Kind::reconnected});
    take_in_order();
}

void ClientPart::on(const Expired& m) {
    if (c_.link == Link::none || m.session != c_.session) {
        return;
    }
    const std::int64_t life = c_.life, connection = c_.connection;
    c_ = {};
    c_.life = life;
    c_.connection = connection;
    work_.ping.reset();
    work_.silence.reset();
    work_.cancel_ping = work_.cancel_silence = true;
    work_.happenings.push_back({Happening::Kind::expired});
}

void ClientPart::on(const ConnectionClosed& m) {
    if (c_.link == Link::connected && m.session == c_.session && m.connection == c_.connection) {
        work_.notes.push_back({"its connection is closed: disconnected"});
        disconnect();
    }
}

// An answer to a ping counts only if nothing is missing, in either direction.
void ClientPart::on(const Pong& m) {
    if (c_.link == Link::connected && m.session == c_.session && m.connection == c_.connection &&
        m.complete && m.sent == c_.received) {
        alive();
    }
}

void ClientPart::take(Early message, SessionId session, std::int64_t connection) {
    if (c_.link == Link::none || session != c_.session || connection != c_.connection ||
        message.order <= c_.received) {
        return;  // of an earlier connection, or a copy
    }
    const auto place =
        std::lower_bound(c_.early.begin(), c_.early.end(), message.order,
                         [](const Early& e, std::int64_t order) { return e.order < order; });
    if (place == c_.early.end() || place->order != message.order) {
        c_.early.insert(place, std::move(message));
    }
    if (c_.link == Link::connected) {
        take_in_order();
    }
}

void ClientPart::take_in_order() {
    while (!c_.early.empty() && c_.early.front().order == c_.received + 1) {
        const Early next = std::move(c_.early.front());
        c_.early.erase(c_.early.begin());
        c_.received = next.order;
        alive();
        if (next.reply) {
            hand_over(*next.reply);
        } else {
            hand_over(*next.event);
        }
    }
}

void ClientPart::hand_over(const Reply& m) {
    c_.last_zxid = std::max(c_.last_zxid, m.zxid);
    c_.waiting = false;
    if (c_.asked_watch) {
        const bool found = m.code == Code::ok;
        if (c_.asked_watch->kind == WatchKind::existence) {
            add_watch(c_.watches,
                      {found ? WatchKind::data : WatchKind::existence, c_.asked_watch->path});
        } else if (found) {
            add_watch(c_.watches, *c_.asked_watch);
        }
    }
    c_.asked_watch.reset();
    work_.happenings.push_back({Happening::Kind::reply, m});
}

void ClientPart::hand_over(const WatchEvent& m) {
    c_.last_zxid = std::max(c_.last_zxid, m.zxid);
    take_watches(c_.watches, m.type, m.path);
    work_.happenings.push_back({Happening::Kind::event, {}, m});
}

}  // namespace electionlab::coordination
