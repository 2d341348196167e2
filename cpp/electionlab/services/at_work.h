// A protocol at work: its members also do what they were elected for, on a resource.
//
// AtWork<P> is P with one more actor, the resource, and a worker in every member. The worker sees
// its own node's view and nothing else of the election: when the node begins to lead it takes the
// resource over, then does one job after the other, each for a while, and writes each one's result.
// It looks whether the node leads before it starts a job and before it writes. That is all a
// program can do: a node that was paused, or has not heard yet, writes all the same.
//
// Properties over all nodes of P are checked in clusters without a resource only.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "electionlab/node/protocol.h"
#include "electionlab/services/resource.h"

namespace electionlab {

namespace detail {

template <class Message>
struct WithWork;
template <class... Kinds>
struct WithWork<std::variant<Kinds...>> {
    using type = std::variant<Kinds..., TakeOver, TakeOverReply, Write, WriteReply>;
};

template <class P>
struct WorkCommands {};
template <class P>
    requires requires { typename P::Command; }
struct WorkCommands<P> {
    using Command = typename P::Command;
};

template <class P>
struct AtWorkOptions {
    typename P::Options election{};
    WorkOptions work{};

    template <class Self, class Visit>
    static void describe(Self& self, Visit&& option) {
        P::Options::describe(self.election, option);
        WorkOptions::describe(self.work, option);
    }
    void validate(NodeId nodes) const {
        election.validate(nodes);
        work.validate();
    }
    [[nodiscard]] std::vector<std::string> warnings() const { return option_warnings(election); }
};

}  // namespace detail

template <class P>
struct AtWork : detail::WorkCommands<P> {
    using Options = detail::AtWorkOptions<P>;
    using Message = typename detail::WithWork<typename P::Message>::type;

    struct Disk {
        typename P::Disk election;
        std::optional<Resource> resource;
        EL_FIELDS(Disk, election, resource)
    };
    struct Memory {
        typename P::Memory election;
        View view;  ///< of the election
        Work work;
        EL_FIELDS(Memory, election, view, work)
    };
    using State = electionlab::State<AtWork>;
    using Context = electionlab::Context<Options>;
    using Effects = electionlab::Effects<Message>;

    /// P's timers, then `next_job` and `write`.
    enum class Timer : std::uint8_t {};
    static const std::vector<std::string>& timer_names() {
        static const std::vector<std::string> names = [] {
            auto all = field_info<typename P::Timer>("").names;
            all.emplace_back("next_job");
            all.emplace_back("write");
            return all;
        }();
        return names;
    }
    friend std::string_view enum_name(Timer timer) {
        const auto& names = timer_names();
        return static_cast<std::size_t>(timer) < names.size()
                   ? std::string_view(names[static_cast<std::size_t>(timer)])
                   : std::string_view();
    }
    static Timer next_job() { return static_cast<Timer>(timer_names().size() - 2); }
    static Timer write() { return static_cast<Timer>(timer_names().size() - 1); }
    static bool per_peer([[maybe_unused]] Timer timer) {
        if constexpr (requires { P::per_peer(typename P::Timer{}); }) {
            return timer < next_job() && P::per_peer(static_cast<typename P::Timer>(timer));
        }
        return false;
    }

    static std::vector<ActorKind> actors(const Options& options, NodeId members) {
        auto kinds = actor_kinds<P>(options.election, members);
        kinds.push_back({"resource", 1});
        return kinds;
    }

    // --- inputs ---
    static Disk initial_disk(const Options& options, NodeId node) {
        return {P::initial_disk(options.election, node), std::nullopt};
    }
    static Disk empty_disk(const Options& options, NodeId node) {
        return {electionlab::empty_disk<P>(options.election, node), std::nullopt};
    }
    static void on_start(State& s, const Context& ctx, Effects& effects) {
        start(s, ctx, effects, [](auto& inner, const auto& about, auto& wanted) {
            P::on_start(inner, about, wanted);
        });
    }
    static void on_restart(State& s, const Context& ctx, Effects& effects) {
        start(s, ctx, effects, [](auto& inner, const auto& about, auto& wanted) {
            P::on_restart(inner, about, wanted);
        });
    }
    static void on_timer(State& s, const Context& ctx, Timer timer, NodeId peer, Effects& effects) {
        if (timer == next_job()) {
            return begin_job(s, ctx, effects);
        }
        if (timer == write()) {
            Work& work = s.memory.work;
            effects.send(resource(ctx), Write{work.token, work.takeover, work.job});
            ++work.written;
            if (has_jobs(work, ctx)) {
                effects.set_timer(next_job(), TimerSpec::fixed(ctx.options.work.work_interval));
            }
            return;
        }
        elect(s, ctx, effects, [&](auto& inner, const auto& about, auto& wanted) {
            expire<P>(inner, about, static_cast<typename P::Timer>(timer), peer, wanted);
        });
    }
    static void on_message(State& s, const Context& ctx, NodeId from, const Message& message,
                           Effects& effects) {
        std::visit(
            [&]<class Kind>(const Kind& m) {
                if constexpr (std::same_as<Kind, TakeOver>) {
                    answer(effects, from, resource_at(s, ctx).take_over(from, m));
                } else if constexpr (std::same_as<Kind, Write>) {
                    answer(effects, from, resource_at(s, ctx).write(m));
                } else if constexpr (std::same_as<Kind, TakeOverReply>) {
                    on_take_over_reply(s, ctx, m, effects);
                } else if constexpr (std::same_as<Kind, WriteReply>) {
                    on_write_reply(s, m, effects);
                } else {
                    elect(s, ctx, effects, [&](auto& inner, const auto& about, auto& wanted) {
                        P::on_message(inner, about, from, typename P::Message(m), wanted);
                    });
                }
            },
            message);
    }
    template <class Command>
        requires HasCommands<P>
    static void on_command(State& s, const Context& ctx, const Command& command, Effects& effects) {
        elect(s, ctx, effects, [&](auto& inner, const auto& about, auto& wanted) {
            P::on_command(inner, about, command, wanted);
        });
    }

    static View view(const State& s, const Context& ctx) {
        if (ctx.self != resource(ctx)) {
            return s.memory.view;
        }
        return {Role::service, no_node, s.disk.resource ? s.disk.resource->highest_token : 0};
    }

    static About about() {
        static const std::string name = std::string(P::about().name) + "_at_work";
        static const std::string title = std::string(P::about().title) + ", at work on a resource";
        About about = P::about();
        about.name = name;
        about.title = title;
        return about;
    }

    static std::vector<Promise<AtWork>> invariants() {
        std::vector<Promise<AtWork>> all;
        lift(all, promises_of<P>().size(), std::make_index_sequence<most_promises>());
        all.push_back({"tokens accepted never decrease",
                       [](const Known<AtWork>& before, const Known<AtWork>& after) {
                           const auto& was = before.disk.resource;
                           const auto& is = after.disk.resource;
                           return !is || is->fencing != Fencing::token ||
                                  (is->lower_tokens == 0 &&
                                   (!was || is->highest_token >= was->highest_token));
                       }});
        all.push_back({"who was taken over from writes no more",
                       [](const Known<AtWork>&, const Known<AtWork>& after) {
                           const auto& is = after.disk.resource;
                           return !is || is->fencing != Fencing::takeover ||
                                  is->stale + is->repeated == 0;
                       }});
        return all;
    }

private:
    static constexpr std::size_t most_promises = 12;

    template <std::size_t... Index>
    static void lift(std::vector<Promise<AtWork>>& all, std::size_t count,
                     std::index_sequence<Index...>) {
        const std::array<Promise<AtWork>, sizeof...(Index)> lifted{
            Promise<AtWork>{"", [](const Known<AtWork>& before, const Known<AtWork>& after) {
                                static const auto promises = promises_of<P>();
                                return promises[Index].holds(
                                    {before.disk.election, before.view},
                                    {after.disk.election, after.view});
                            }}...};
        const auto names = promises_of<P>();
        for (std::size_t i = 0; i < count; ++i) {
            all.push_back({names.at(i).name, lifted.at(i).holds});
        }
    }

    static NodeId resource(const Context& ctx) { return ctx.actors; }
    static Resource& resource_at(State& s, const Context& ctx) {
        if (!s.disk.resource) {
            s.disk.resource.emplace();
            s.disk.resource->fencing = ctx.options.work.fencing;
        }
        return *s.disk.resource;
    }

    // Runs one of P's handlers on P's part of the state, and hands on what it wants.
    template <class Handler>
    static void elect(State& s, const Context& ctx, Effects& effects, Handler&& handler) {
        const electionlab::Context<typename P::Options> about{
            ctx.options.election, ctx.self, ctx.members, ctx.actors - 1, ctx.initial_leader,
            ctx.clock, ctx.random};
        electionlab::State<P> inner{std::move(s.disk.election), std::move(s.memory.election)};
        electionlab::Effects<typename P::Message> wanted;
        wanted.want_notes(true);
        handler(inner, about, wanted);
        s.memory.view = P::view(inner, about);
        s.disk.election = std::move(inner.disk);
        s.memory.election = std::move(inner.memory);
        if (wanted.persists()) {
            effects.persist();
        }
        for (const auto& change : wanted.timers()) {
            const auto timer = static_cast<Timer>(change.timer);
            if (change.set) {
                effects.set_timer(timer, change.about, change.spec);
            } else {
                effects.cancel_timer(timer, change.about);
            }
        }
        for (auto& out : wanted.sends()) {
            Message message =
                std::visit([](auto& m) { return Message(std::move(m)); }, out.message);
            if (out.to == no_node) {
                effects.broadcast(std::move(message));
            } else {
                effects.send(out.to, std::move(message));
            }
        }
        for (const Note& note : wanted.notes()) {
            effects.note(note.text, note.first, note.second);
        }
        if (ctx.self <= ctx.members) {
            look(s, ctx, effects);
        }
    }

    template <class Handler>
    static void start(State& s, const Context& ctx, Effects& effects, Handler&& handler) {
        if (ctx.self != resource(ctx)) {
            elect(s, ctx, effects, handler);
        }
    }

    // Whether this node has begun or ceased to lead.
    static void look(State& s, const Context& ctx, Effects& effects) {
        Work& work = s.memory.work;
        const View& view = s.memory.view;
        if (view.leads() && (!work.leads || work.token != view.epoch)) {
            work = {true, false, view.epoch, 0, 0, work.written};
            ask_to_take_over(work, ctx, effects);
            effects.cancel_timer(write());
        } else if (!view.leads() && work.leads) {
            work.leads = false;
            effects.cancel_timer(next_job());
            effects.cancel_timer(write());
        }
    }

    static void ask_to_take_over(const Work& work, const Context& ctx, Effects& effects) {
        effects.send(resource(ctx), TakeOver{work.token});
        if (ctx.options.work.jobs == 0) {
            effects.set_timer(next_job(), TimerSpec::fixed(ctx.options.work.work_interval));
        } else {
            effects.cancel_timer(next_job());
        }
    }

    static bool has_jobs(const Work& work, const Context& ctx) {
        return ctx.options.work.jobs == 0 || work.written < ctx.options.work.jobs;
    }

    static void begin_job(State& s, const Context& ctx, Effects& effects) {
        const Work& work = s.memory.work;
        if (work.takeover == 0) {
            ask_to_take_over(work, ctx, effects);
        } else {
            effects.set_timer(write(), TimerSpec::fixed(ctx.options.work.work));
        }
    }

    template <class Reply>
    static void answer(Effects& effects, NodeId to, const Reply& reply) {
        effects.persist();
        effects.send(to, reply);
    }

    static void on_take_over_reply(State& s, const Context& ctx, const TakeOverReply& reply,
                                   Effects& effects) {
        Work& work = s.memory.work;
        if (!work.leads || work.fenced || work.takeover != 0 || reply.token != work.token) {
            return;
        }
        if (!reply.accepted) {
            return fence_off(work, effects);
        }
        work.takeover = reply.takeover;
        work.job = reply.next_job;
        effects.cancel_timer(next_job());
        if (has_jobs(work, ctx)) {
            effects.set_timer(write(), TimerSpec::fixed(ctx.options.work.work));
        }
    }

    static void on_write_reply(State& s, const WriteReply& reply, Effects& effects) {
        Work& work = s.memory.work;
        if (!work.leads || work.fenced || reply.takeover != work.takeover) {
            return;
        }
        if (!reply.accepted) {
            return fence_off(work, effects);
        }
        work.job = std::max(work.job, reply.next_job);
    }

    static void fence_off(Work& work, Effects& effects) {
        work.fenced = true;
        effects.note("is fenced off: another has taken the resource over");
        effects.cancel_timer(next_job());
        effects.cancel_timer(write());
    }
};

}  // namespace electionlab
