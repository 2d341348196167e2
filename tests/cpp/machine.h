// One node of a protocol on its own: inputs go in, what it wants done is looked at.
#pragma once

#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "electionlab/node/protocol.h"

namespace story {

template <class P>
struct Machine {
    using Message = typename P::Message;
    using Timer = electionlab::TimerOf<P>;

    Machine(electionlab::NodeId self_id, electionlab::NodeId member_count,
            typename P::Options given = {})
        : options(std::move(given)), self(self_id), members(member_count) {
        state.disk = P::initial_disk(options, self);
    }

    [[nodiscard]] electionlab::Context<typename P::Options> context() const {
        return {options, self, members, members, initial_leader, clock, random};
    }
    void start() {
        effects.clear();
        P::on_start(state, context(), effects);
    }
    void restart() {
        effects.clear();
        state.memory = {};
        P::on_restart(state, context(), effects);
    }
    template <class Kind>
    void receive(electionlab::NodeId from, Kind message) {
        effects.clear();
        P::on_message(state, context(), from, Message{std::move(message)}, effects);
    }
    void expire(Timer timer, electionlab::NodeId about = electionlab::no_node) {
        effects.clear();
        electionlab::expire<P>(state, context(), timer, about, effects);
    }
    template <class Kind>
    void command(Kind asked) {
        effects.clear();
        P::on_command(state, context(), typename P::Command{std::move(asked)}, effects);
    }

    /// The messages of a kind that the last input sent.
    template <class Kind>
    [[nodiscard]] std::vector<std::pair<electionlab::NodeId, Kind>> sent() {
        std::vector<std::pair<electionlab::NodeId, Kind>> found;
        for (const auto& outgoing : effects.sends()) {
            if (const auto* message = std::get_if<Kind>(&outgoing.message)) {
                found.emplace_back(outgoing.to, *message);
            }
        }
        return found;
    }
    [[nodiscard]] bool sets(Timer timer) const { return changes(timer, true); }
    [[nodiscard]] bool cancels(Timer timer) const { return changes(timer, false); }
    [[nodiscard]] electionlab::View view() const { return P::view(state, context()); }

    typename P::Options options;
    electionlab::NodeId self;
    electionlab::NodeId members;
    electionlab::NodeId initial_leader = electionlab::no_node;
    electionlab::RandomStream random{};  // what a protocol that draws is given
    electionlab::Instant clock{};
    electionlab::State<P> state{};
    electionlab::Effects<Message> effects{};

private:
    [[nodiscard]] bool changes(Timer timer, bool set) const {
        for (const auto& change : effects.timers()) {
            if (change.timer == static_cast<std::uint32_t>(timer) && change.set == set) {
                return true;
            }
        }
        return false;
    }
};

}  // namespace story
