// The reference model: Raft's election reduced to its bones, as a protocol. Small enough to be
// written again in any tool, so that numbers of states can be compared to the last one.
#pragma once

#include <variant>
#include <vector>

#include "electionlab/node/protocol.h"

namespace reference {

using electionlab::About;
using electionlab::AllNodes;
using electionlab::Epoch;
using electionlab::no_node;
using electionlab::NodeId;
using electionlab::NodeSet;
using electionlab::Property;
using electionlab::Role;
using electionlab::TimerSpec;
using electionlab::View;

struct ModelOptions {
    bool amnesia = false;  ///< a bug: a restart forgets the vote
    bool wrongly_stale = false;  ///< a bug: old requests are called stale, but they are answered

    template <class Self, class Visit>
    static void describe(Self& self, Visit&& option) {
        option("amnesia", self.amnesia, "A bug: a restart forgets the vote, and keeps the term.");
        option("wrongly_stale", self.wrongly_stale, "A bug: old requests are called stale.");
    }
    void validate(NodeId) const {}
};

struct Model {
    using Options = ModelOptions;
    struct VoteRequest {
        Epoch term = 0;
        EL_FIELDS(VoteRequest, term)
    };
    struct VoteReply {
        Epoch term = 0;
        bool granted = false;
        EL_FIELDS(VoteReply, term, granted)
    };
    using Message = std::variant<VoteRequest, VoteReply>;
    struct Disk {
        Epoch term = 0;
        NodeId voted_for = no_node;
        EL_FIELDS(Disk, term, voted_for)
    };
    struct Memory {
        Role role = Role::follower;
        NodeSet<64> votes;
        EL_FIELDS(Memory, role, votes)
    };
    using State = electionlab::State<Model>;
    using Context = electionlab::Context<Options>;
    using Effects = electionlab::Effects<Message>;
    enum class Timer : std::uint8_t { election };
    friend constexpr std::string_view enum_name(Timer timer) {
        return timer == Timer::election ? "election" : "";
    }

    static Disk initial_disk(const Options&, NodeId) { return {}; }
    static void on_start(State&, const Context&, Effects& effects) { arm(effects); }
    static void on_restart(State& s, const Context& ctx, Effects& effects) {
        if (ctx.options.amnesia) {
            s.disk.voted_for = no_node;
            effects.persist();
        }
        arm(effects);
    }
    static void on_timer(State& s, const Context& ctx, Timer, Effects& effects) {
        ++s.disk.term;
        s.disk.voted_for = ctx.self;
        s.memory.role = Role::candidate;
        s.memory.votes.clear();
        s.memory.votes.insert(ctx.self);
        effects.persist();
        effects.broadcast(VoteRequest{s.disk.term});
        arm(effects);
    }
    static void on_message(State& s, const Context& ctx, NodeId from, const Message& message,
                           Effects& effects) {
        const Epoch term = std::visit([](const auto& m) { return m.term; }, message);
        if (term > s.disk.term) {
            s.disk = {term, no_node};
            s.memory = {};
            effects.persist();
            arm(effects);
        }
        if (std::holds_alternative<VoteRequest>(message)) {
            const bool granted = term == s.disk.term &&
                                 (s.disk.voted_for == no_node || s.disk.voted_for == from);
            if (granted) {
                s.disk.voted_for = from;
                effects.persist();
            }
            effects.send(from, VoteReply{s.disk.term, granted});
        } else if (s.memory.role == Role::candidate && term == s.disk.term &&
                   std::get<VoteReply>(message).granted) {
            s.memory.votes.insert(from);
            if (s.memory.votes.size() >= ctx.quorum()) {
                s.memory.role = Role::leader;
                effects.cancel_timer(Timer::election);
            }
        }
    }
    static bool is_stale(const State& s, const Context& ctx, const Message& message) {
        const auto* reply = std::get_if<VoteReply>(&message);
        if (reply == nullptr) {
            return ctx.options.wrongly_stale && std::get<VoteRequest>(message).term <= s.disk.term;
        }
        return reply->term < s.disk.term ||
               (reply->term == s.disk.term && s.memory.role != Role::candidate);
    }
    static View view(const State& s, const Context& ctx) {
        return {s.memory.role, s.memory.role == Role::leader ? ctx.self : no_node, s.disk.term};
    }
    static About about() {
        return {.name = "reference_model",
                .title = "Raft's election in a dozen lines",
                .source = "for tests",
                .assumptions = "none",
                .cost = "2(n-1)",
                .weaknesses = "no leader is heard of",
                .epochs = true,
                .majority = true};
    }
    static bool symmetric(const Options&) { return true; }
    static constexpr bool is_epoch(std::string_view, std::string_view field) { return field == "term"; }
    static std::vector<Property<Model>> properties() {
        return {{"one_leader_per_term", [](const AllNodes<Model>& nodes) {
                     for (NodeId a = 1; a <= nodes.members(); ++a) {
                         for (NodeId b = a + 1; b <= nodes.members(); ++b) {
                             if (nodes.view(a).leads() && nodes.view(b).leads() &&
                                 nodes.view(a).epoch == nodes.view(b).epoch) {
                                 return false;
                             }
                         }
                     }
                     return true;
                 }}};
    }

private:
    static void arm(Effects& effects) {
        effects.set_timer(Timer::election, TimerSpec::fixed(electionlab::ms(1)));
    }
};

}  // namespace reference
