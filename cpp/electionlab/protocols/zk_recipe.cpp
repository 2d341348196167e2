#include "electionlab/protocols/zk_recipe.h"

#include <algorithm>
#include <charconv>
#include <utility>

namespace electionlab {

using namespace coordination;

namespace {

const std::string election = "/election";

// "3.1.2-n_0000000007": node 3, its first start, its second znode; the seventh made after the
// first.
std::string guid_of(NodeId node, std::int64_t life, std::int64_t attempt) {
    return std::to_string(node) + "." + std::to_string(life) + "." + std::to_string(attempt) +
           "-n_";
}

std::int64_t whole(std::string_view digits) {
    std::int64_t value = -1;
    std::from_chars(digits.data(), digits.data() + digits.size(), value);
    return value;
}

std::int64_t number_of(std::string_view name) { return whole(name.substr(name.rfind('_') + 1)); }
NodeId node_of(std::string_view name) { return static_cast<NodeId>(whole(name)); }
std::string path_of(const std::string& name) { return election + "/" + name; }

// The queue of a warm start: the leader first, then the others in ascending order.
std::int64_t place_in_queue(NodeId node, NodeId leader) {
    return node == leader ? 0 : node < leader ? node : node - 1;
}
NodeId node_in_queue(std::int64_t place, NodeId leader) {
    const auto node = static_cast<NodeId>(place);
    return place == 0 ? leader : node < leader ? node : node + 1;
}
std::string warm_name(std::int64_t place, NodeId leader) {
    const std::string digits = std::to_string(place);
    return guid_of(node_in_queue(place, leader), 1, 1) + std::string(10 - digits.size(), '0') +
           digits;
}
std::vector<Watch> warm_watches(std::int64_t place, NodeId leader, WatchedZnode watched) {
    if (place == 0) {
        return {};
    }
    const std::int64_t target = watched == WatchedZnode::leader ? 0 : place - 1;
    return {{WatchKind::data, path_of(warm_name(target, leader))}};
}

}  // namespace

void ZkRecipeOptions::validate(NodeId) const { sessions.validate(); }

About ZkRecipe::about() {
    return {.name = "zk_recipe",
            .title = "ZooKeeper's election recipe",
            .source =
                "ZooKeeper Recipes and Solutions, Leader Election; Hunt et al., USENIX ATC 2010, "
                "section 2.4",
            .assumptions =
                "the coordination service is up, reachable and keeps its disk; no majority "
                "of members is needed",
            .cost =
                "1 event, 1 listing and its reply at a leader's death (watch leader: n-1 each); "
                "pings to the service all the time",
            .weaknesses =
                "no leader while the service is down; who is cut off or paused may act after "
                "its session has expired",
            .epochs = true};
}

View ZkRecipe::view(const State& s, const Context& ctx) {
    if (ctx.self > ctx.members) {
        return {Role::service, no_node, 0};
    }
    const Memory& m = s.memory;
    if (m.acts) {
        return {Role::leader, ctx.self, m.epoch};
    }
    if (m.stands) {
        return {Role::candidate, no_node, 0};  // of no number yet: it may find another before it
    }
    return {Role::follower, m.leader, m.epoch};
}

// --- inputs --------------------------------------------------------------------------------------

void ZkRecipe::on_start(State& s, const Context& ctx, Effects& effects) {
    if (ctx.initial_leader == no_node) {
        return on_restart(s, ctx, effects);
    }
    if (ctx.self == service_of(ctx)) {
        return start_service(s, ctx, ctx.initial_leader, effects);
    }
    start_in_the_queue(s, ctx, effects);
}

void ZkRecipe::on_restart(State& s, const Context& ctx, Effects& effects) {
    if (ctx.self == service_of(ctx)) {
        return start_service(s, ctx, no_node, effects);
    }
    ++s.disk.starts;
    effects.persist();
    ClientWork work;
    ClientPart(s.memory.client, ctx.options.sessions, work).open(s.disk.starts);
    carry_out<Timer>(work, service_of(ctx), effects);
    if (ctx.options.look_interval.ns > 0) {
        effects.set_timer(Timer::look, TimerSpec::fixed(ctx.options.look_interval));
    }
}

// A warm start is the state in which everybody has joined, the leader first.
void ZkRecipe::start_service(State& s, const Context& ctx, NodeId leader, Effects& effects) {
    ServiceWork work;
    Service service(s.disk.service, s.memory.desk, ctx.options.sessions, work);
    if (s.disk.service.znodes.empty()) {
        s.disk.service = make_database({{election, ""}});
        effects.persist();
    }
    service.start();
    for (std::int64_t place = 0; leader != no_node && place < ctx.members; ++place) {
        const NodeId node = node_in_queue(place, leader);
        const Op znode{.kind = OpKind::create,
                       .path = path_of(guid_of(node, 1, 1)),
                       .data = "",
                       .ephemeral = true,
                       .sequential = true};
        service.admit(node, {znode}, warm_watches(place, leader, ctx.options.watch));
    }
    carry_out(work, effects);
    effects.set_timer(Timer::tick, TimerSpec::fixed(ctx.options.sessions.tick));
}

void ZkRecipe::start_in_the_queue(State& s, const Context& ctx, Effects& effects) {
    Memory& m = s.memory;
    s.disk.starts = 1;
    effects.persist();
    const std::int64_t place = place_in_queue(ctx.self, ctx.initial_leader);
    ClientWork work;
    ClientPart(m.client, ctx.options.sessions, work)
        .admitted(2 + 2 * place, 1, 1 + 2 * std::int64_t{ctx.members},
                  warm_watches(place, ctx.initial_leader, ctx.options.watch));
    carry_out<Timer>(work, service_of(ctx), effects);
    m.attempts = 1;
    m.own = warm_name(place, ctx.initial_leader);
    m.acts = place == 0;
    m.leader = ctx.initial_leader;
    m.epoch = 1;
    if (ctx.options.look_interval.ns > 0) {
        effects.set_timer(Timer::look, TimerSpec::fixed(ctx.options.look_interval));
    }
}

void ZkRecipe::on_timer(State& s, const Context& ctx, Timer timer, Effects& effects) {
    if (timer == Timer::tick) {
        ServiceWork work;
        Service(s.disk.service, s.memory.desk, ctx.options.sessions, work).tick();
        carry_out(work, effects);
        effects.set_timer(Timer::tick, TimerSpec::fixed(ctx.options.sessions.tick));
        return;
    }
    ClientWork work;
    ClientPart client(s.memory.client, ctx.options.sessions, work);
    if (timer == Timer::ping) {
        client.ping_due();
    } else if (timer == Timer::silence) {
        client.silence();
    } else {
        s.memory.must_list |= !s.memory.acts && !s.memory.own.empty() && s.memory.client.idle();
        effects.set_timer(Timer::look, TimerSpec::fixed(ctx.options.look_interval));
    }
    handle(s, ctx, work);
    carry_out<Timer>(work, service_of(ctx), effects);
}

void ZkRecipe::on_message(State& s, const Context& ctx, NodeId from, const Message& message,
                          Effects& effects) {
    std::visit(
        [&]<class Kind>(const Kind& m) {
            if constexpr (ForService<Kind>) {
                ServiceWork work;
                Service(s.disk.service, s.memory.desk, ctx.options.sessions, work).receive(from, m);
                carry_out(work, effects);
            } else {
                ClientWork work;
                ClientPart(s.memory.client, ctx.options.sessions, work).receive(m);
                handle(s, ctx, work);
                carry_out<Timer>(work, service_of(ctx), effects);
            }
        },
        message);
}

void ZkRecipe::on_command(State& s, const Context& ctx, const Command&, Effects& effects) {
    if (ctx.self > ctx.members || s.memory.own.empty()) {
        effects.note("has no znode to give up");
        return;
    }
    s.memory.resigning = true;
    s.memory.acts = false;  // before the znode goes
    s.memory.leader = no_node;
    ClientWork work;
    handle(s, ctx, work);
    carry_out<Timer>(work, service_of(ctx), effects);
}

// --- the recipe ----------------------------------------------------------------------------------

void ZkRecipe::handle(State& s, const Context& ctx, ClientWork& work) {
    const std::vector<Happening> happenings = std::move(work.happenings);
    work.happenings.clear();
    for (const Happening& happening : happenings) {
        on_happening(s, ctx, happening, work);
    }
    go_on(s, ctx, work);
}

void ZkRecipe::on_happening(State& s, const Context& ctx, const Happening& h, ClientWork& work) {
    Memory& m = s.memory;
    switch (h.kind) {
        case Happening::Kind::opened:  // step 1: a znode of its own
            ++m.attempts;
            return;
        case Happening::Kind::reconnected:  // what happened meanwhile? Did the create succeed?
            m.must_list = true;
            return;
        case Happening::Kind::disconnected:
            m.asked = Asked::nothing;
            m.to_watch.clear();
            if (ctx.options.mutations.has(ZkRecipeMutation::forgets_its_node)) {
                m.own.clear();
                ++m.attempts;
            }
            if (m.acts && ctx.options.step_down_on_disconnect) {
                work.notes.push_back(
                    {"stops acting as leader: it cannot know whether it still is"});
                m.acts = false;
                m.leader = no_node;
            }
            return;
        case Happening::Kind::expired: {
            if (m.acts) {
                work.notes.push_back({"stops acting as leader: its session has expired"});
            }
            Memory fresh;
            fresh.desk = std::move(m.desk);
            fresh.client = std::move(m.client);
            fresh.attempts = m.attempts;
            fresh.woken = m.woken;
            m = std::move(fresh);
            ClientPart(m.client, ctx.options.sessions, work).open(s.disk.starts);
            return;
        }
        case Happening::Kind::event:
            ++m.woken;
            m.must_list = true;
            if (h.event.type == EventType::deleted && number_of(h.event.path) + 1 == m.epoch) {
                m.stands = true;
                m.leader = no_node;
            }
            return;
        case Happening::Kind::reply:
            return on_reply(s, ctx, h.reply, work);
    }
}

void ZkRecipe::on_reply(State& s, const Context& ctx, const Reply& m, ClientWork& work) {
    switch (std::exchange(s.memory.asked, Asked::nothing)) {
        case Asked::create:
            s.memory.own = m.path.substr(election.size() + 1);
            s.memory.must_list = true;  // step 2
            return;
        case Asked::list:
            return on_listing(s, ctx, m.children, work);
        case Asked::exists:
            s.memory.to_watch.clear();
            if (m.code == Code::no_node &&
                !ctx.options.mutations.has(ZkRecipeMutation::no_recheck_after_exists)) {  // gone between the listing and exists()
                work.notes.push_back({"the znode to watch is gone already: lists again"});
                s.memory.must_list = true;
            }
            return;
        case Asked::remove:
            s.memory.own.clear();
            s.memory.resigning = false;
            ++s.memory.attempts;
            return;
        case Asked::nothing:
            return;
    }
}

// Step 3: the smallest leads, the others watch the one before, or all the leader's.
void ZkRecipe::on_listing(State& s, const Context& ctx, const std::vector<std::string>& names,
                          ClientWork& work) {
    Memory& m = s.memory;
    const std::string guid = guid_of(ctx.self, s.disk.starts, m.attempts);
    const auto is_own = [&](const std::string& name) {
        return name == m.own || (ctx.options.protected_create && name.starts_with(guid));
    };
    const auto before = [](const std::string& a, const std::string& b) {
        return number_of(a) < number_of(b);
    };
    const auto own = std::find_if(names.begin(), names.end(), is_own);
    if (own != names.end() && m.own.empty()) {
        work.notes.push_back({"finds the znode {} whose reply was lost", number_of(*own)});
        m.own = *own;
    } else if (own == names.end()) {
        m.own.clear();  // not made yet; or deleted by somebody, as a resigning node's own request
        if (m.resigning) {
            m.resigning = false;
            ++m.attempts;
        }
    }
    const bool acted = std::exchange(m.acts, false);
    m.stands = false;
    m.to_watch.clear();
    const auto smallest = std::min_element(names.begin(), names.end(), before);
    if (smallest == names.end()) {
        m.leader = no_node;
        return;
    }
    m.epoch = number_of(*smallest) + 1;
    m.leader = node_of(*smallest) == ctx.self ? no_node : node_of(*smallest);  // an earlier life's
    if (m.own.empty() || m.resigning) {
        return;
    }
    const bool claims = ctx.options.mutations.has(ZkRecipeMutation::trusts_old_node) &&
                        node_of(*smallest) == ctx.self;
    if (*smallest == m.own || claims) {
        if (!acted) {
            work.notes.push_back(
                {"leads: its number {} is the smallest", number_of(*smallest)});
        }
        m.acts = true;
        m.leader = ctx.self;
        return;
    }
    std::string target = *smallest;
    if (ctx.options.watch == WatchedZnode::predecessor) {
        for (const std::string& name : names) {
            if (before(target, name) && before(name, m.own)) {
                target = name;
            }
        }
    }
    if (!m.client.watches_path(path_of(target))) {
        m.to_watch = target;
    }
}

// The next request, when there is one to send and the last is answered.
void ZkRecipe::go_on(State& s, const Context& ctx, ClientWork& work) {
    Memory& m = s.memory;
    if (!m.client.idle()) {
        return;
    }
    ClientPart client(m.client, ctx.options.sessions, work);
    if (m.resigning && !m.own.empty()) {
        m.asked = Asked::remove;
        client.ask(Delete{{}, path_of(m.own), any_version});
    } else if (m.must_list) {
        m.must_list = false;
        m.asked = Asked::list;
        client.ask(GetChildren{{}, election, false});
    } else if (m.own.empty()) {
        m.asked = Asked::create;
        client.ask(
            Create{{}, path_of(guid_of(ctx.self, s.disk.starts, m.attempts)), "", true, true});
    } else if (!m.to_watch.empty()) {
        m.asked = Asked::exists;
        client.ask(Exists{{}, path_of(m.to_watch), true});
    }
}

// --- what must hold ------------------------------------------------------------------------------

std::vector<Promise<ZkRecipe>> ZkRecipe::invariants() {
    using Known = electionlab::Known<ZkRecipe>;
    return {
        {"zxid_never_falls",
         [](const Known& before, const Known& after) {
             return after.disk.service.zxid >= before.disk.service.zxid;
         }},
        {"numbers_are_not_used_twice",
         [](const Known& before, const Known& after) {
             const Znode* const was = before.disk.service.find(election);
             const Znode* const is = after.disk.service.find(election);
             return was == nullptr || (is != nullptr && is->creates >= was->creates);
         }},
    };
}

std::vector<Property<ZkRecipe>> ZkRecipe::properties() {
    using All = AllNodes<ZkRecipe>;
    return {
        {"one_znode_per_session",
         [](const All& all) {
             const Database& db = all.state(all.members() + 1).disk.service;
             std::vector<SessionId> owners;
             for (const Znode& znode : db.znodes) {
                 if (znode.owner != 0) {
                     owners.push_back(znode.owner);
                 }
             }
             std::sort(owners.begin(), owners.end());
             return std::adjacent_find(owners.begin(), owners.end()) == owners.end();
         }},
        {"ephemerals_have_sessions",
         [](const All& all) {
             const Database& db = all.state(all.members() + 1).disk.service;
             return std::all_of(db.znodes.begin(), db.znodes.end(), [&](const Znode& znode) {
                 return znode.owner == 0 || db.find_session(znode.owner) != nullptr;
             });
         }},
        {"leader_of_a_live_session_is_first",
         [](const All& all) {
             const Database& db = all.state(all.members() + 1).disk.service;
             for (NodeId node = 1; node <= all.members(); ++node) {
                 const Memory& m = all.state(node).memory;
                 if (!m.acts || db.find_session(m.client.session) == nullptr) {
                     continue;
                 }
                 const auto is_before = [&](const Znode& znode) {
                     return znode.owner != 0 && number_of(znode.path) < m.epoch - 1;
                 };
                 if (std::any_of(db.znodes.begin(), db.znodes.end(), is_before)) {
                     return false;
                 }
             }
             return true;
         }},
    };
}

}  // namespace electionlab
