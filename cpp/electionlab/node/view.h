// What the outside sees of a node, whatever its protocol: its role, its leader, its epoch.
#pragma once

#include <cstdint>
#include <string_view>

#include "electionlab/core/fields.h"
#include "electionlab/core/ids.h"

namespace electionlab {

/// What a node is doing. `down` and `paused` are the cluster's doing, the others the protocol's.
enum class Role : std::uint8_t { follower, candidate, leader, down, paused, service };

constexpr std::string_view enum_name(Role role) {
    constexpr std::string_view names[] = {"follower", "candidate", "leader",
                                          "down",     "paused",    "service"};
    return static_cast<std::size_t>(role) < 6 ? names[static_cast<std::size_t>(role)] : "";
}

/// A node as every protocol can be asked about it.
struct View {
    Role role = Role::follower;
    NodeId leader = no_node;  ///< whom this node believes to lead; itself when it leads
    Epoch epoch = 0;          ///< term, ballot, ...; 0 in protocols that have none

    [[nodiscard]] constexpr bool leads() const { return role == Role::leader; }

    EL_FIELDS(View, role, leader, epoch)
};

}  // namespace electionlab
