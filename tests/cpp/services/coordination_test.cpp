// The coordination service and its client, by hand: one test for each rule of the documentation.
#include "electionlab/services/coordination.h"

#include <algorithm>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "electionlab/core/errors.h"

#include "catch_shim.h"

using namespace electionlab;
using namespace electionlab::coordination;

namespace {

// The service with clients that send requests by hand: node n has one session, and counts its xids.
struct Bench {
    SessionOptions options;
    Database db = make_database({{"/a", "first"}});
    Desk desk;
    ServiceWork work;
    std::vector<Call> calls = std::vector<Call>(9);

    Bench() { service().start(); }
    Service service() {
        work = {};
        return {db, desk, options, work};
    }
    template <class Kind>
    std::vector<std::pair<NodeId, Kind>> sent() const {
        std::vector<std::pair<NodeId, Kind>> found;
        for (const auto& [to, message] : work.sends) {
            if (const auto* kind = std::get_if<Kind>(&message)) {
                found.emplace_back(to, *kind);
            }
        }
        return found;
    }
    SessionId connect(NodeId client, SessionId session = 0, Zxid last_zxid = 0,
                      std::vector<Watch> watches = {}) {
        Call& call = calls[client];
        call = {session, call.connection + 1, 0};
        service().receive(client,
                          Connect{session, 1, call.connection, last_zxid, std::move(watches)});
        const auto answers = sent<Connected>();
        call.session = answers.empty() ? 0 : answers.at(0).second.session;
        return call.session;
    }
    template <class Asked>
    Reply ask(NodeId client, Asked request) {
        ++calls[client].xid;
        request.call = calls[client];
        service().receive(client, request);
        for (const auto& [to, reply] : sent<Reply>()) {
            if (to == client) {
                return reply;
            }
        }
        FAIL("no reply");
        return {};
    }
    Reply create(NodeId client, const std::string& path, bool ephemeral = false,
                 bool sequential = false) {
        return ask(client, Create{{}, path, "data", ephemeral, sequential});
    }
    Reply exists(NodeId client, const std::string& path, bool watch = false) {
        return ask(client, Exists{{}, path, watch});
    }
    void ping(NodeId client) { service().receive(client, Ping{calls[client]}); }
    void tick() { service().tick(); }
    std::vector<std::string> events() const {  // "2 deleted /a"
        std::vector<std::string> found;
        for (const auto& [to, event] : sent<WatchEvent>()) {
            found.push_back(std::to_string(to) + " " + std::string(enum_name(event.type)) + " " +
                            event.path);
        }
        return found;
    }
};

using Strings = std::vector<std::string>;

}  // namespace

TEST_CASE("coordination: sequential names carry ten digits of the parent's count of creates",
          "[coordination]") {
    Bench b;
    b.connect(1);
    CHECK(b.create(1, "/a/x-", true, true).path == "/a/x-0000000000");
    CHECK(b.create(1, "/a/plain").path == "/a/plain");  // counts as well
    CHECK(b.create(1, "/a/x-", true, true).path == "/a/x-0000000002");
    CHECK(b.ask(1, Delete{{}, "/a/x-0000000002", any_version}).code == Code::ok);
    CHECK(b.create(1, "/a/y-", true, true).path == "/a/y-0000000003");  // never used twice
    CHECK(b.create(1, "/z-", false, true).path == "/z-0000000001");     // a parent, a counter
    CHECK(b.ask(1, GetChildren{{}, "/a", false}).children ==
          Strings{"plain", "x-0000000000", "y-0000000003"});
    CHECK(b.ask(1, GetChildren{{}, "/", false}).children == Strings{"a", "z-0000000001"});
    CHECK(b.ask(1, GetChildren{{}, "/a/plain", false}).children.empty());
}

TEST_CASE("coordination: requests that cannot be done say why, and change nothing",
          "[coordination]") {
    Bench b;
    b.connect(1);
    b.create(1, "/a/e", true);
    const Database before = b.db;
    CHECK(b.create(1, "/a").code == Code::node_exists);
    CHECK(b.create(1, "/nowhere/x").code == Code::no_node);
    CHECK(b.create(1, "/a/e/child").code == Code::no_children_for_ephemerals);
    CHECK(b.ask(1, Delete{{}, "/a", any_version}).code == Code::not_empty);
    CHECK(b.ask(1, Delete{{}, "/a/e", 1}).code == Code::bad_version);
    CHECK(b.ask(1, Delete{{}, "/b", any_version}).code == Code::no_node);
    CHECK(b.ask(1, SetData{{}, "/a", "x", 7}).code == Code::bad_version);
    CHECK(b.ask(1, SetData{{}, "/b", "x", any_version}).code == Code::no_node);
    CHECK(b.exists(1, "/b").code == Code::no_node);
    CHECK(b.ask(1, GetData{{}, "/b", false}).code == Code::no_node);
    CHECK(b.ask(1, GetChildren{{}, "/b", false}).code == Code::no_node);
    CHECK(b.db == before);
    CHECK_FALSE(b.work.persist);
}

TEST_CASE("coordination: the stat counts as the documentation says", "[coordination]") {
    Bench b;
    const SessionId session = b.connect(1);
    const Zxid start = b.db.zxid;
    b.create(1, "/a/e", true);
    CHECK(b.work.persist);  // durable before it is answered
    b.create(1, "/a/f");
    b.ask(1, Delete{{}, "/a/f", any_version});
    CHECK(b.ask(1, SetData{{}, "/a", "second", 0}).stat->version == 1);
    const Stat a = *b.exists(1, "/a").stat;
    CHECK(a == Stat{1, start + 4, start + 3, 1, 3, 0, 1});  // 2 creates and 1 delete of children
    const Stat e = *b.exists(1, "/a/e").stat;
    CHECK(e == Stat{start + 1, start + 1, start + 1, 0, 0, session, 0});
    CHECK(b.ask(1, GetData{{}, "/a", false}).data == "second");
    CHECK_FALSE(b.work.persist);  // reads are no transactions
    CHECK(b.db.zxid == start + 4);
}

TEST_CASE("coordination: a multi is done whole or not at all, under one zxid", "[coordination]") {
    Bench b;
    b.connect(1);
    b.connect(2);
    b.exists(2, "/lock", true);
    const Zxid before = b.db.zxid;
    const std::vector<Op> ops{{OpKind::check, "/a", "", 0, false, false},
                              {OpKind::create, "/lock", "1", any_version, true, false},
                              {OpKind::set, "/a", "second", 0, false, false}};
    CHECK(b.ask(1, Multi{{}, ops}).code == Code::ok);
    CHECK(b.events() == Strings{"2 created /lock"});
    CHECK(b.db.zxid == before + 1);
    CHECK(b.db.find("/lock")->czxid == b.db.find("/a")->mzxid);
    b.ask(1, Delete{{}, "/lock", any_version});
    const Database unchanged = b.db;
    CHECK(b.ask(1, Multi{{}, ops}).code == Code::bad_version);  // /a is at version 1 now
    const std::vector<Op> late{{OpKind::create, "/lock", "1", any_version, true, false},
                               {OpKind::set, "/a", "third", 0, false, false}};
    CHECK(b.ask(1, Multi{{}, late}).code == Code::bad_version);  // and the create is undone
    CHECK(b.db == unchanged);
}

TEST_CASE("coordination: which change fires which watch", "[coordination]") {
    struct Case {
        const char* set;  // by node 2: "data", "exists", "children" and a path
        const char* path;
        const char* does;  // by node 1
        Strings events;
    };
    const Case c = GENERATE(values<Case>({
        {"data", "/a", "set", {"2 data_changed /a"}},
        {"exists", "/a", "set", {"2 data_changed /a"}},
        {"children", "/a", "set", {}},
        {"data", "/a", "child", {}},
        {"children", "/a", "child", {"2 children_changed /a"}},
        {"exists", "/a/c", "child", {"2 created /a/c"}},
        {"data", "/a/c", "child", {}},  // getData of nothing sets no watch
        {"data", "/b", "delete", {"2 deleted /b"}},
        {"exists", "/b", "delete", {"2 deleted /b"}},
        {"children", "/b", "delete", {"2 deleted /b"}},
        {"children", "/", "delete", {"2 children_changed /"}},
    }));
    CAPTURE(c.set, c.path, c.does);
    Bench b;
    b.connect(1);
    b.connect(2);
    b.create(1, "/b");
    const std::string kind = c.set, does = c.does;
    kind == "data"     ? b.ask(2, GetData{{}, c.path, true})
    : kind == "exists" ? b.ask(2, Exists{{}, c.path, true})
                       : b.ask(2, GetChildren{{}, c.path, true});
    const auto change = [&] {
        does == "set"     ? b.ask(1, SetData{{}, "/a", "x", any_version})
        : does == "child" ? b.create(1, "/a/c")
                          : b.ask(1, Delete{{}, "/b", any_version});
    };
    change();
    CHECK(b.events() == c.events);
    if (does == "set") {
        change();
        CHECK(b.events().empty());  // once
    }
}

TEST_CASE("coordination: data and child watches of one znode tell of its deletion once",
          "[coordination]") {
    Bench b;
    b.connect(1);
    b.connect(2);
    b.create(1, "/b");
    b.ask(2, GetData{{}, "/b", true});
    b.ask(2, Exists{{}, "/b", true});
    b.ask(2, GetChildren{{}, "/b", true});
    b.ask(1, Delete{{}, "/b", any_version});
    CHECK(b.events() == Strings{"2 deleted /b"});
}

TEST_CASE("coordination: who changes what it watches gets the event before the reply",
          "[coordination]") {
    Bench b;
    b.connect(1);
    b.ask(1, GetData{{}, "/a", true});
    const Reply reply = b.ask(1, SetData{{}, "/a", "x", any_version});
    REQUIRE(b.sent<WatchEvent>().size() == 1);
    CHECK(b.sent<WatchEvent>()[0].second.order == 2);
    CHECK(reply.order == 3);
}

TEST_CASE("coordination: a session ends after its time-out, at the next tick, and not before",
          "[coordination]") {
    Bench b;  // 300 ms, ticks of 50: six ticks of silence are survived
    const SessionId session = b.connect(1);
    b.connect(2);
    b.create(1, "/a/e", true);
    b.create(1, "/a/stays");
    b.exists(2, "/a/e", true);
    for (int i = 0; i < 6; ++i) {
        b.tick();
        b.ping(2);
        REQUIRE(b.db.find_session(session) != nullptr);
    }
    b.ping(1);  // in the last moment
    CHECK(b.sent<Pong>().size() == 1);
    for (int i = 0; i < 6; ++i) {
        b.tick();
        b.ping(2);
        REQUIRE(b.db.find("/a/e") != nullptr);
    }
    b.tick();
    CHECK(b.db.find_session(session) == nullptr);
    CHECK(b.db.find("/a/e") == nullptr);
    CHECK(b.db.find("/a/stays") != nullptr);
    CHECK(b.events() == Strings{"2 deleted /a/e"});
    CHECK(b.work.persist);
    CHECK(b.sent<Expired>().empty());  // it is told when it comes back
    b.ping(1);
    CHECK(b.sent<ConnectionClosed>().size() == 1);
    b.connect(1, session);
    REQUIRE(b.sent<Expired>().size() == 1);
    CHECK(b.sent<Expired>()[0].second.session == session);
}

TEST_CASE("coordination: closing a session removes its ephemerals at once", "[coordination]") {
    Bench b;
    const SessionId session = b.connect(1);
    b.connect(2);
    b.create(1, "/a/e", true);
    b.create(1, "/a/f", true);
    b.exists(2, "/a/e", true);
    const Zxid before = b.db.zxid;
    ++b.calls[1].xid;
    b.service().receive(1, CloseSession{b.calls[1]});
    CHECK(b.db.find_session(session) == nullptr);
    CHECK(b.db.find("/a")->children == 0);
    CHECK(b.db.zxid == before + 1);  // one transaction for all of it
    CHECK(b.events() == Strings{"2 deleted /a/e"});
    CHECK(b.sent<Expired>().size() == 1);
}

TEST_CASE("coordination: a copy of a request is done once, a message of an old connection never",
          "[coordination]") {
    Bench b;
    const SessionId session = b.connect(1);
    const Create request{{session, 1, 1}, "/a/x-", "", true, true};
    b.service().receive(1, request);
    b.service().receive(1, request);
    CHECK(b.work.sends.empty());
    CHECK(b.db.find("/a")->children == 1);
    b.service().receive(1, Create{{session, 1, 3}, "/a/x-", "", true, true});  // where is 2?
    CHECK(b.db.find("/a")->children == 1);
    b.ping(1);
    CHECK(b.sent<Pong>()[0].second.complete);
    b.service().receive(1, Ping{{session, 1, 3}});
    CHECK_FALSE(b.sent<Pong>()[0].second.complete);
    b.connect(1, session);  // connection 2
    b.service().receive(1, Create{{session, 1, 2}, "/a/x-", "", true, true});
    CHECK(b.sent<ConnectionClosed>().size() == 1);
    CHECK(b.db.find("/a")->children == 1);
    b.service().receive(1, Connect{session, 1, 1, 0, {}});  // the first attempt again, overtaken
    CHECK(b.work.sends.empty());
    CHECK(b.create(1, "/a/y").code == Code::ok);
}

TEST_CASE("coordination: after a crash the tree and the sessions are there, with a whole time-out",
          "[coordination][fault]") {
    Bench b;
    const SessionId session = b.connect(1);
    b.create(1, "/a/e", true);
    for (int i = 0; i < 6; ++i) {
        b.tick();
    }
    b.desk = {};  // the crash
    b.service().start();
    for (int i = 0; i < 6; ++i) {
        b.tick();
    }
    CHECK(b.db.find("/a/e") != nullptr);
    b.ping(1);
    CHECK(b.sent<ConnectionClosed>().size() == 1);  // its connection is gone, its session is not
    CHECK(b.connect(1, session) == session);
    CHECK(b.exists(1, "/a/e").stat->ephemeral_owner == session);
    b.service().start();
    for (int i = 0; i < 7; ++i) {
        b.tick();
    }
    CHECK(b.db.find("/a/e") == nullptr);
}

TEST_CASE("coordination: who has seen more than the service is refused", "[coordination][fault]") {
    Bench b;
    const SessionId session = b.connect(1);
    b.connect(1, session, b.db.zxid + 1);
    CHECK(b.work.sends.empty());
    b.connect(1, session, b.db.zxid);
    CHECK(b.sent<Connected>().size() == 1);
}

TEST_CASE("coordination: watches that are set again fire for what has happened meanwhile",
          "[coordination][fault]") {
    Bench b;
    const SessionId session = b.connect(1);
    b.connect(2);
    b.create(2, "/a/old");
    const Zxid seen = b.db.zxid;
    b.ask(2, SetData{{}, "/a", "x", any_version});
    b.create(2, "/a/new");
    b.ask(2, Delete{{}, "/a/old", any_version});
    b.create(2, "/b");
    b.connect(1, session, seen,
              {{WatchKind::data, "/a"},           // changed
               {WatchKind::children, "/a"},       // changed
               {WatchKind::data, "/a/old"},       // gone
               {WatchKind::existence, "/a/new"},  // came
               {WatchKind::data, "/b"},           // newer than what it saw
               {WatchKind::existence, "/c"},
               {WatchKind::data, "/"},
               {WatchKind::children, "/b"}});  // newer as well: its children are from then
    CHECK(b.events() == Strings{"1 data_changed /a", "1 children_changed /a", "1 deleted /a/old",
                                "1 created /a/new", "1 data_changed /b", "1 children_changed /b"});
    b.create(2, "/c");
    CHECK(b.events() == Strings{"1 created /c"});
    b.ask(2, SetData{{}, "/", "x", any_version});
    CHECK(b.events() == Strings{"1 data_changed /"});  // these two were set again, and waited
}

// --- the client ----------------------------------------------------------------------------------

namespace {

// A client whose messages are looked at, and answered by hand.
struct Handle {
    SessionOptions options;
    Client client;
    ClientWork work;

    ClientPart part() {
        work = {};
        return {client, options, work};
    }
    template <class Kind>
    Kind sent() const {
        REQUIRE(work.sends.size() == 1);
        REQUIRE(std::holds_alternative<Kind>(work.sends[0]));
        return std::get<Kind>(work.sends[0]);
    }
    Strings happenings() const {
        static const char* const names[] = {"opened",  "reconnected", "disconnected",
                                            "expired", "reply",       "event"};
        Strings found;
        for (const Happening& h : work.happenings) {
            found.emplace_back(names[static_cast<std::size_t>(h.kind)]);
        }
        return found;
    }
    void open() {
        part().open(1);
        part().receive(Connected{7, 1, 1});
        REQUIRE(client.idle());
    }
    Reply reply(std::int64_t order, std::int64_t xid) const {
        Reply r;
        r.session = 7;
        r.connection = client.connection;
        r.order = order;
        r.xid = xid;
        r.zxid = 20 + order;
        return r;
    }
    WatchEvent event(std::int64_t order, EventType type, const std::string& path) const {
        return {7, client.connection, order, 20 + order, type, path};
    }
    bool alive() const { return work.silence.has_value(); }
};

}  // namespace

TEST_CASE("coordination: a client tries until it has a session", "[coordination][client]") {
    Handle h;
    h.part().open(3);
    CHECK(h.sent<Connect>() == Connect{0, 3, 1, 0, {}});
    CHECK(h.work.silence->min == ms(50));
    h.part().silence();
    CHECK(h.sent<Connect>() == Connect{0, 3, 2, 0, {}});
    h.part().receive(Connected{7, 3, 1});  // of the first attempt: that session is nobody's
    CHECK(h.client.link == Link::connecting);
    h.part().receive(Connected{8, 2, 2});  // of an earlier life
    CHECK(h.client.link == Link::connecting);
    h.part().receive(Connected{9, 3, 2});
    CHECK(h.client.session == 9);
    CHECK(h.happenings() == Strings{"opened"});
    CHECK(h.work.silence->min == ms(200));  // 2/3 of 300
    CHECK(h.work.ping->min == ms(100));     // 1/3
    h.part().receive(Connected{9, 3, 2});   // a copy
    CHECK(h.work.happenings.empty());
}

TEST_CASE("coordination: replies and events reach the user in the service's order, each once",
          "[coordination][client]") {
    Handle h;
    h.open();
    h.part().ask(Exists{{}, "/a", true});
    CHECK(h.sent<Exists>().call == Call{7, 1, 1});
    CHECK_FALSE(h.client.idle());
    h.part().receive(h.event(2, EventType::deleted, "/a"));  // has overtaken the reply
    CHECK(h.work.happenings.empty());
    CHECK_FALSE(h.alive());
    h.part().receive(h.event(2, EventType::deleted, "/a"));
    h.part().receive(h.reply(1, 1));
    CHECK(h.happenings() == Strings{"reply", "event"});
    CHECK(h.alive());
    CHECK(h.client.last_zxid == 22);
    CHECK(h.client.watches.empty());
    h.part().receive(h.reply(1, 1));
    CHECK(h.work.happenings.empty());
    WatchEvent old = h.event(3, EventType::deleted, "/a");
    old.connection = 0;
    h.part().receive(old);
    CHECK(h.work.happenings.empty());
}

TEST_CASE("coordination: a pong counts only when nothing is missing", "[coordination][client]") {
    Handle h;
    h.open();
    h.part().ask(Exists{{}, "/a", false});
    h.part().ping_due();
    CHECK(h.sent<Ping>().call.xid == 1);
    h.part().receive(Pong{7, 1, false, 0});  // the request is lost
    CHECK_FALSE(h.alive());
    h.part().receive(Pong{7, 1, true, 1});  // the reply is lost, or late
    CHECK_FALSE(h.alive());
    h.part().receive(h.reply(1, 1));
    CHECK(h.alive());
    h.part().receive(Pong{7, 1, true, 1});
    CHECK(h.alive());
    h.part().receive(Pong{7, 0, true, 1});  // of another connection
    CHECK_FALSE(h.alive());
}

TEST_CASE("coordination: silence disconnects and never expires; the service's word does",
          "[coordination][client]") {
    Handle h;
    h.open();
    h.part().ask(Exists{{}, "/a", true});
    h.part().receive(h.reply(1, 1));
    h.part().ask(GetData{{}, "/b", true});
    h.part().silence();
    CHECK(h.happenings() == Strings{"disconnected"});
    CHECK(h.sent<Connect>() == Connect{7, 1, 2, 21, {{WatchKind::data, "/a"}}});
    CHECK(h.work.cancel_ping);
    for (int attempt = 3; attempt < 100; ++attempt) {
        h.part().silence();
        REQUIRE(h.work.happenings.empty());
        REQUIRE(h.sent<Connect>().session == 7);
    }
    h.part().receive(Connected{7, 1, 99});
    CHECK(h.happenings() == Strings{"reconnected"});
    CHECK(h.client.idle());  // the request under way is nobody's now
    h.part().receive(h.event(1, EventType::deleted, "/a"));
    CHECK(h.happenings() == Strings{"event"});
    h.part().receive(ConnectionClosed{7, 98});
    CHECK(h.work.happenings.empty());
    h.part().receive(ConnectionClosed{7, 99});
    CHECK(h.happenings() == Strings{"disconnected"});
    h.part().receive(Expired{6});
    CHECK(h.work.happenings.empty());
    h.part().receive(Expired{7});
    CHECK(h.happenings() == Strings{"expired"});
    CHECK(h.client.link == Link::none);
    h.part().open(1);
    CHECK(h.sent<Connect>() == Connect{0, 1, 101, 0, {}});
}

TEST_CASE("coordination: an event that overtakes Connected waits for it",
          "[coordination][client]") {
    Handle h;
    h.open();
    h.part().silence();
    h.part().receive(h.event(1, EventType::deleted, "/a"));
    CHECK(h.work.happenings.empty());
    h.part().receive(Connected{7, 1, 2});
    CHECK(h.happenings() == Strings{"reconnected", "event"});
}

TEST_CASE("coordination: a client knows its watches as the service does",
          "[coordination][client]") {
    Handle h;
    h.open();
    const auto asked = [&](Request request, Code code) {
        h.part().ask(std::move(request));
        Reply r = h.reply(h.client.received + 1, h.client.xid);
        r.code = code;
        h.part().receive(r);
    };
    asked(Exists{{}, "/a", true}, Code::ok);
    asked(Exists{{}, "/b", true}, Code::no_node);
    asked(GetData{{}, "/c", true}, Code::no_node);
    asked(GetData{{}, "/a", true}, Code::ok);
    asked(GetChildren{{}, "/a", true}, Code::ok);
    asked(GetChildren{{}, "/d", false}, Code::ok);
    CHECK(h.client.watches == std::vector<Watch>{{WatchKind::data, "/a"},
                                                 {WatchKind::existence, "/b"},
                                                 {WatchKind::children, "/a"}});
    CHECK(h.client.watches_path("/a"));
    CHECK_FALSE(h.client.watches_path("/b"));
    h.part().receive(h.event(h.client.received + 1, EventType::data_changed, "/a"));
    CHECK(h.client.watches.size() == 2);
    h.part().receive(h.event(h.client.received + 1, EventType::deleted, "/a"));
    CHECK(h.client.watches.size() == 1);
}

TEST_CASE("coordination: time-outs that make no sense are refused by name",
          "[coordination][errors]") {
    const auto check = [](Duration timeout, Duration tick, DurationRange connect) {
        SessionOptions{timeout, tick, connect}.validate();
    };
    const DurationRange usual{ms(50), ms(100)};
    CHECK_NOTHROW(check(ms(100), ms(50), usual));
    CHECK_NOTHROW(check(ms(1000), ms(50), usual));
    CHECK_THROWS_WITH(check(ms(99), ms(50), usual), contains("tick_ms=50"));
    CHECK_THROWS_WITH(check(ms(1001), ms(50), usual), contains("tick_ms=50"));
    CHECK_THROWS_WITH(check(ms(0), ms(50), usual), contains("session_timeout_ms=0"));
    CHECK_THROWS_WITH(check(ms(300), ms(0), usual), contains("tick_ms=0"));
    CHECK_THROWS_WITH(check(ms(300), ms(50), {ms(0), ms(9)}), contains("connect_timeout_ms"));
}
