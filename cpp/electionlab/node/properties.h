// What must always hold, said once and checked by whoever runs a protocol: promises of one node
// across an event, and properties of all nodes at one moment. (That no two nodes lead at once, or
// in one epoch, is asked of every protocol's views: uniqueness.h.)
#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include "electionlab/core/ids.h"
#include "electionlab/node/state.h"
#include "electionlab/node/view.h"

namespace electionlab {

/// A node as the outside knows it: what its messages may depend on, and its view.
template <class P>
struct Known {
    const typename P::Disk& disk;
    const View& view;
};

/// A promise about one node across one event, crashes and restarts included. It must hold between
/// equal states, so that nothing needs checking where nothing changed.
template <class P>
struct Promise {
    std::string_view name;
    bool (*holds)(const Known<P>& before, const Known<P>& after);
};

/// Every actor's state and view at one moment; it refers to them and keeps nothing.
///
/// A node that is down has role `down`, the disk that a restart will find, and an empty memory.
template <class P>
class AllNodes {
public:
    /// `first` is node 1's state, and the others follow every `stride` bytes.
    AllNodes(const typename P::Options& options, const State<P>* first, std::size_t stride,
             std::span<const View> views, NodeId members)
        : options_(&options),
          first_(reinterpret_cast<const std::byte*>(first)),
          stride_(stride),
          views_(views),
          members_(members) {}
    /// Each actor's state where it lies.
    AllNodes(const typename P::Options& options, const State<P>* const* states,
             std::span<const View> views, NodeId members)
        : options_(&options), states_(states), views_(views), members_(members) {}

    [[nodiscard]] const typename P::Options& options() const { return *options_; }
    [[nodiscard]] NodeId members() const { return members_; }
    /// Members and services.
    [[nodiscard]] NodeId actors() const { return static_cast<NodeId>(views_.size()); }
    [[nodiscard]] const State<P>& state(NodeId node) const {
        return states_ != nullptr
                   ? *states_[node - 1]
                   : *reinterpret_cast<const State<P>*>(first_ + stride_ * (node - 1));
    }
    [[nodiscard]] const View& view(NodeId node) const { return views_[node - 1]; }
    /// Of all actors, node 1 first.
    [[nodiscard]] std::span<const View> views() const { return views_; }

private:
    const typename P::Options* options_;
    const State<P>* const* states_ = nullptr;
    const std::byte* first_ = nullptr;
    std::size_t stride_ = 0;
    std::span<const View> views_;
    NodeId members_;
};

/// Something about all nodes together that holds in every state that can be reached.
template <class P>
struct Property {
    std::string_view name;
    bool (*holds)(const AllNodes<P>& nodes);
};

template <class P>
std::vector<Promise<P>> promises_of() {
    if constexpr (requires { P::invariants(); }) {
        return P::invariants();
    } else {
        return {};
    }
}

template <class P>
std::vector<Property<P>> properties_of() {
    if constexpr (requires { P::properties(); }) {
        return P::properties();
    } else {
        return {};
    }
}

}  // namespace electionlab
