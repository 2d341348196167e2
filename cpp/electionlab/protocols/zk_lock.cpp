#include "electionlab/protocols/zk_lock.h"

#include <algorithm>
#include <charconv>
#include <utility>

namespace electionlab {

using namespace coordination;

namespace {

const std::string epoch_znode = "/controller_epoch";
const std::string breadcrumb = "/ActiveBreadCrumb";

const std::string& lock_of(LockFlavour flavour) {
    static const std::string names[] = {"/controller", "/ActiveStandbyElectorLock"};
    return names[static_cast<std::size_t>(flavour)];
}

std::int64_t whole(std::string_view digits) {
    std::int64_t value = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), value);
    return value;
}
NodeId node_in(std::string_view data) { return static_cast<NodeId>(whole(data)); }

// kafka: "3 7": node 3 in epoch 7; yarn: "3", and the epoch is the lock's czxid.
std::string lock_data(LockFlavour flavour, NodeId node, Epoch epoch) {
    const std::string name = std::to_string(node);
    return flavour == LockFlavour::kafka ? name + " " + std::to_string(epoch) : name;
}
Epoch epoch_of(LockFlavour flavour, std::string_view data, Zxid czxid) {
    return flavour == LockFlavour::kafka ? whole(data.substr(data.find(' ') + 1)) : czxid;
}

}  // namespace

void ZkLockOptions::validate(NodeId) const {
    sessions.validate();
    if (fence_timeout.ns <= 0) {
        invalid("fence_timeout_ms", show(fence_timeout.to_ms()), "must be above 0");
    }
}

About ZkLock::about() {
    return {
        .name = "zk_lock",
        .title = "ZooKeeper lock znode: Kafka's controller, YARN's active",
        .source =
            "Hunt et al., USENIX ATC 2010, section 2.4; Apache Kafka, KafkaZkClient; Apache "
            "Hadoop, ActiveStandbyElector",
        .assumptions =
            "the coordination service is up, reachable and keeps its disk; no majority "
            "of members is needed",
        .cost =
            "n-1 events and 4(n-1) requests with replies at a leader's death (yarn: 3(n-1) + 2, "
            "and a Fence); pings to the service all the time",
        .weaknesses =
            "a herd at each change; no leader while the service is down; who is cut off "
            "or paused may act after its session has expired",
        .epochs = true};
}

View ZkLock::view(const State& s, const Context& ctx) {
    if (ctx.self > ctx.members) {
        return {Role::service, no_node, 0};
    }
    const Memory& m = s.memory;
    if (m.acts) {
        return {Role::leader, ctx.self, m.epoch};
    }
    if (m.stands) {
        return {Role::candidate, no_node, 0};
    }
    return {Role::follower, m.leader, m.epoch};
}

// --- inputs --------------------------------------------------------------------------------------

void ZkLock::on_start(State& s, const Context& ctx, Effects& effects) {
    if (ctx.initial_leader == no_node) {
        return on_restart(s, ctx, effects);
    }
    if (ctx.self == service_of(ctx)) {
        return start_service(s, ctx, ctx.initial_leader, effects);
    }
    start_with_a_leader(s, ctx, effects);
}

void ZkLock::on_restart(State& s, const Context& ctx, Effects& effects) {
    if (ctx.self == service_of(ctx)) {
        return start_service(s, ctx, no_node, effects);
    }
    ++s.disk.starts;
    effects.persist();
    ClientWork work;
    ClientPart(s.memory.client, ctx.options.sessions, work).open(s.disk.starts);
    carry_out<Timer>(work, service_of(ctx), effects);
}

// A warm start is the state in which the leader has the lock and everybody watches it.
void ZkLock::start_service(State& s, const Context& ctx, NodeId leader, Effects& effects) {
    const LockFlavour flavour = ctx.options.flavour;
    const bool warm = leader != no_node;
    if (s.disk.service.znodes.empty()) {
        s.disk.service = flavour == LockFlavour::kafka
                             ? make_database({{epoch_znode, warm ? "1" : "0"}})
                         : warm ? make_database({{breadcrumb, std::to_string(leader)}})
                                : make_database({});
        effects.persist();
    }
    ServiceWork work;
    Service service(s.disk.service, s.memory.desk, ctx.options.sessions, work);
    service.start();
    if (warm) {
        const Watch watch{WatchKind::data, lock_of(flavour)};
        const Op lock{.kind = OpKind::create,
                      .path = lock_of(flavour),
                      .data = lock_data(flavour, leader, 1),
                      .ephemeral = true};
        service.admit(leader, {lock}, {watch});
        for (NodeId node = 1; node <= ctx.members; ++node) {
            if (node != leader) {
                service.admit(node, {}, {watch});
            }
        }
    }
    carry_out(work, effects);
    effects.set_timer(Timer::tick, TimerSpec::fixed(ctx.options.sessions.tick));
}

void ZkLock::start_with_a_leader(State& s, const Context& ctx, Effects& effects) {
    Memory& m = s.memory;
    s.disk.starts = 1;
    effects.persist();
    // The leader's session and lock come first: zxids 2 and 3; then a session for each other.
    const bool leads = ctx.self == ctx.initial_leader;
    const SessionId session =
        leads ? 2 : 3 + (ctx.self < ctx.initial_leader ? ctx.self : ctx.self - 1);
    ClientWork work;
    ClientPart(m.client, ctx.options.sessions, work)
        .admitted(session, 1, 2 + ctx.members, {{WatchKind::data, lock_of(ctx.options.flavour)}});
    carry_out<Timer>(work, service_of(ctx), effects);
    m.acts = m.holds = leads;
    m.leader = ctx.initial_leader;
    m.epoch = ctx.options.flavour == LockFlavour::kafka ? 1 : 3;
    m.lock_epoch = leads ? m.epoch : 0;
}

void ZkLock::on_timer(State& s, const Context& ctx, Timer timer, Effects& effects) {
    if (timer == Timer::tick) {
        ServiceWork work;
        Service(s.disk.service, s.memory.desk, ctx.options.sessions, work).tick();
        carry_out(work, effects);
        effects.set_timer(Timer::tick, TimerSpec::fixed(ctx.options.sessions.tick));
        return;
    }
    Memory& m = s.memory;
    ClientWork work;
    ClientPart client(m.client, ctx.options.sessions, work);
    switch (timer) {
        case Timer::ping:
            client.ping_due();
            break;
        case Timer::silence:
            client.silence();
            break;
        case Timer::rejoin:
            client.open(s.disk.starts);
            break;
        default:
            if (m.fencing == no_node) {
                return;
            }
            m.fencing = no_node;
            if (ctx.options.unfenced == Unfenced::goes_on) {
                work.notes.push_back({"hears nothing from the last active: goes on"});
                m.next = Step::write_crumb;
            } else {
                work.notes.push_back({"hears nothing from the last active: gives the lock up"});
                m.next = Step::release;
            }
    }
    handle(s, ctx, work, effects);
}

void ZkLock::on_message(State& s, const Context& ctx, NodeId from, const Message& message,
                        Effects& effects) {
    std::visit(
        [&]<class Kind>(const Kind& m) {
            if constexpr (ForService<Kind>) {
                ServiceWork work;
                Service(s.disk.service, s.memory.desk, ctx.options.sessions, work).receive(from, m);
                carry_out(work, effects);
            } else if constexpr (ForClient<Kind>) {
                ClientWork work;
                ClientPart(s.memory.client, ctx.options.sessions, work).receive(m);
                handle(s, ctx, work, effects);
            } else {
                on(s, ctx, from, m, effects);
            }
        },
        message);
}

void ZkLock::on_command(State& s, const Context& ctx, const Command&, Effects& effects) {
    Memory& m = s.memory;
    if (ctx.self > ctx.members || !m.acts) {
        effects.note("has no lock to give up");
        return;
    }
    m.acts = false;  // before the lock goes
    m.leader = no_node;
    m.resigns = true;
    m.next = ctx.options.flavour == LockFlavour::yarn ? Step::remove_crumb : Step::release;
    ClientWork work;
    handle(s, ctx, work, effects);
}

// --- fencing (yarn) ------------------------------------------------------------------------------

void ZkLock::on(State& s, const Context&, NodeId from, const Fence& m, Effects& effects) {
    if (s.memory.acts && s.memory.epoch < m.epoch) {
        effects.note("is fenced: node {} holds the lock", from);
        s.memory.acts = false;
        s.memory.leader = no_node;
    }
    if (!s.memory.acts) {
        effects.send(from, Fenced{m.epoch});
    }
}

void ZkLock::on(State& s, const Context& ctx, NodeId from, const Fenced& m, Effects& effects) {
    if (s.memory.fencing != from || s.memory.lock_epoch != m.epoch) {
        return;
    }
    s.memory.fencing = no_node;
    s.memory.next = Step::write_crumb;
    effects.cancel_timer(Timer::fence);
    ClientWork work;
    handle(s, ctx, work, effects);
}

// --- the race ------------------------------------------------------------------------------------

void ZkLock::handle(State& s, const Context& ctx, ClientWork& work, Effects& effects) {
    const std::vector<Happening> happenings = std::move(work.happenings);
    work.happenings.clear();
    for (const Happening& happening : happenings) {
        on_happening(s, ctx, happening, work, effects);
    }
    go_on(s, ctx, work);
    carry_out<Timer>(work, service_of(ctx), effects);
}

void ZkLock::on_happening(State& s, const Context& ctx, const Happening& h, ClientWork& work,
                          Effects& effects) {
    Memory& m = s.memory;
    switch (h.kind) {
        case Happening::Kind::opened:
        case Happening::Kind::reconnected:  // its lost request may have taken the lock
            m.next = Step::read_lock;
            return;
        case Happening::Kind::disconnected:
            m.asked = m.next = Step::nothing;
            m.fencing = no_node;
            m.stands = m.resigns = false;
            effects.cancel_timer(Timer::fence);
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
            const bool gave_up = m.asked == Step::release;
            Memory fresh;
            fresh.desk = std::move(m.desk);
            fresh.client = std::move(m.client);
            fresh.woken = m.woken;
            m = std::move(fresh);
            effects.cancel_timer(Timer::fence);
            if (gave_up) {  // it closed the session itself
                effects.set_timer(Timer::rejoin, TimerSpec::fixed(ctx.options.rejoin_delay));
            } else {
                ClientPart(m.client, ctx.options.sessions, work).open(s.disk.starts);
            }
            return;
        }
        case Happening::Kind::event:
            ++m.woken;
            if (m.resigns) {
                return;
            }
            if (h.event.type == EventType::deleted) {
                m.acts = m.holds = false;
                m.leader = no_node;
                m.stands = true;
            }
            m.next = Step::read_lock;
            return;
        case Happening::Kind::reply:
            return on_reply(s, ctx, h.reply, work, effects);
    }
}

void ZkLock::on_reply(State& s, const Context& ctx, const Reply& r, ClientWork& work,
                      Effects& effects) {
    Memory& m = s.memory;
    const bool kafka = ctx.options.flavour == LockFlavour::kafka;
    const Step answered = std::exchange(m.asked, Step::nothing);
    switch (answered) {
        case Step::read_lock:
            return on_lock_read(s, ctx, r, work);
        case Step::read_epoch:
            m.lock_epoch = whole(r.data);
            m.version = r.stat->version;
            m.next = Step::take;
            return;
        case Step::take:
            if (r.code != Code::ok) {  // another was faster: who?
                m.stands = false;
                m.next = Step::read_lock;
                return;
            }
            m.holds = true;
            if (kafka) {
                m.lock_epoch += 1;
                act(s, ctx, work);
            } else {
                m.lock_epoch = r.stat->czxid;
                m.next = Step::read_crumb;
            }
            return;
        case Step::read_crumb: {
            m.version = r.code == Code::ok ? r.stat->version : any_version;
            const NodeId last = r.code == Code::ok ? node_in(r.data) : no_node;
            if (last == no_node || last == ctx.self) {
                m.next = Step::write_crumb;
                return;
            }
            work.notes.push_back({"fences node {}, the last active", last});
            m.fencing = last;
            effects.send(last, Fence{m.lock_epoch});
            effects.set_timer(Timer::fence, TimerSpec::fixed(ctx.options.fence_timeout));
            return;
        }
        case Step::write_crumb:
            if (r.code != Code::ok) {  // written by another: the lock is lost
                m.holds = m.stands = false;
                m.next = Step::read_lock;
                return;
            }
            m.version = m.version == any_version ? 0 : m.version + 1;
            act(s, ctx, work);
            return;
        case Step::remove_crumb:
            m.next = Step::release;
            return;
        case Step::release:  // kafka: the lock is gone, and the race open
            m.resigns = m.holds = false;
            m.next = Step::read_lock;
            return;
        case Step::nothing:
            return;
    }
}

void ZkLock::on_lock_read(State& s, const Context& ctx, const Reply& r, ClientWork& work) {
    Memory& m = s.memory;
    const bool kafka = ctx.options.flavour == LockFlavour::kafka;
    if (r.code == Code::no_node) {  // it is free
        m.stands = true;
        m.acts = m.holds = false;
        m.leader = no_node;
        m.next = kafka ? Step::read_epoch : Step::take;
        return;
    }
    const Epoch epoch = epoch_of(ctx.options.flavour, r.data, r.stat->czxid);
    m.holds = r.stat->ephemeral_owner == m.client.session;
    if (!m.holds) {
        m.stands = m.acts = false;
        m.leader = node_in(r.data) == ctx.self ? no_node : node_in(r.data);  // an earlier life's
        m.epoch = epoch;
        return;
    }
    m.lock_epoch = epoch;
    if (m.acts) {
        return;  // its own lock, now watched
    }
    if (kafka) {
        act(s, ctx, work);
    } else {
        m.stands = true;
        m.next = Step::read_crumb;
    }
}

void ZkLock::act(State& s, const Context& ctx, ClientWork& work) {
    Memory& m = s.memory;
    work.notes.push_back({"leads in epoch {}", m.lock_epoch});
    m.acts = true;
    m.stands = false;
    m.leader = ctx.self;
    m.epoch = m.lock_epoch;
    if (!m.client.watches_path(lock_of(ctx.options.flavour))) {
        m.next = Step::read_lock;  // for the watch
    }
}

// The next request, when the last is answered.
void ZkLock::go_on(State& s, const Context& ctx, ClientWork& work) {
    Memory& m = s.memory;
    if (!m.client.idle() || m.next == Step::nothing) {
        return;
    }
    const LockFlavour flavour = ctx.options.flavour;
    const std::string& lock = lock_of(flavour);
    ClientPart client(m.client, ctx.options.sessions, work);
    m.asked = std::exchange(m.next, Step::nothing);
    switch (m.asked) {
        case Step::read_lock:
            client.ask(GetData{{}, lock, true});
            return;
        case Step::read_epoch:
            client.ask(GetData{{}, epoch_znode, false});
            return;
        case Step::take:
            if (flavour == LockFlavour::kafka) {
                const Epoch epoch = m.lock_epoch + 1;
                client.ask(Multi{
                    {},
                    {{OpKind::create, lock, lock_data(flavour, ctx.self, epoch), any_version, true,
                      false},
                     {OpKind::set, epoch_znode, std::to_string(epoch), m.version, false, false}}});
            } else {
                client.ask(Create{{}, lock, lock_data(flavour, ctx.self, 0), true, false});
            }
            return;
        case Step::read_crumb:
            client.ask(GetData{{}, breadcrumb, false});
            return;
        case Step::write_crumb:
            if (m.version == any_version) {
                client.ask(Create{{}, breadcrumb, std::to_string(ctx.self), false, false});
            } else {
                client.ask(SetData{{}, breadcrumb, std::to_string(ctx.self), m.version});
            }
            return;
        case Step::remove_crumb:
            client.ask(Delete{{}, breadcrumb, m.version});
            return;
        case Step::release:
            if (flavour == LockFlavour::kafka) {
                client.ask(Delete{{}, lock, any_version});
            } else {
                client.ask(CloseSession{});
            }
            return;
        case Step::nothing:
            return;
    }
}

// --- what must hold ------------------------------------------------------------------------------

std::vector<Promise<ZkLock>> ZkLock::invariants() {
    using Known = electionlab::Known<ZkLock>;
    return {
        {"zxid_never_falls",
         [](const Known& before, const Known& after) {
             return after.disk.service.zxid >= before.disk.service.zxid;
         }},
        {"controller_epoch_never_falls",
         [](const Known& before, const Known& after) {
             const Znode* const was = before.disk.service.find(epoch_znode);
             const Znode* const is = after.disk.service.find(epoch_znode);
             return was == nullptr || (is != nullptr && whole(is->data) >= whole(was->data));
         }},
    };
}

std::vector<Property<ZkLock>> ZkLock::properties() {
    using All = AllNodes<ZkLock>;
    return {
        {"ephemerals_have_sessions",
         [](const All& all) {
             const Database& db = all.state(all.members() + 1).disk.service;
             return std::all_of(db.znodes.begin(), db.znodes.end(), [&](const Znode& znode) {
                 return znode.owner == 0 || db.find_session(znode.owner) != nullptr;
             });
         }},
        {"leader_of_a_live_session_has_the_lock",
         [](const All& all) {
             const Database& db = all.state(all.members() + 1).disk.service;
             for (NodeId node = 1; node <= all.members(); ++node) {
                 const Memory& m = all.state(node).memory;
                 if (!m.acts || db.find_session(m.client.session) == nullptr) {
                     continue;
                 }
                 const auto is_own = [&](const Znode& z) { return z.owner == m.client.session; };
                 if (std::none_of(db.znodes.begin(), db.znodes.end(), is_own)) {
                     return false;
                 }
             }
             return true;
         }},
        {"breadcrumb_names_the_active",
         [](const All& all) {
             const Database& db = all.state(all.members() + 1).disk.service;
             const bool yarn = db.find(lock_of(LockFlavour::yarn)) != nullptr;
             for (NodeId node = 1; yarn && node <= all.members(); ++node) {
                 const Memory& m = all.state(node).memory;
                 const Znode* const crumb = db.find(breadcrumb);
                 if (m.acts && db.find_session(m.client.session) != nullptr &&
                     (crumb == nullptr || node_in(crumb->data) != node)) {
                     return false;
                 }
             }
             return true;
         }},
    };
}

}  // namespace electionlab
