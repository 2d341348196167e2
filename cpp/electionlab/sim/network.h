// Links between nodes: what a message meets on its way, per direction.
#pragma once

#include <cstdint>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "electionlab/core/distribution.h"
#include "electionlab/core/ids.h"
#include "electionlab/core/random.h"
#include "electionlab/core/time.h"
#include "electionlab/core/value.h"

namespace electionlab {

/// One direction of a link. Chances are per message, 0..1.
struct Link {
    Distribution delay = Distribution::uniform(ms(5), ms(10));  ///< one way
    double loss = 0;
    double duplicate = 0;         ///< a second copy travels with a delay of its own
    double reorder = 0;           ///< the message is held up by `reorder_delay` on top
    Distribution reorder_delay = Distribution::constant(ms(20));
    bool fifo = false;            ///< never overtakes an earlier message of the same link

    [[nodiscard]] Value to_value() const;
    /// Reads a dictionary over `otherwise`; `InvalidArgument` names the bad entry.
    static Link from_value(const Value& value, const Link& otherwise, std::string_view name);

    [[nodiscard]] std::uint64_t hash() const;

    friend bool operator==(const Link&, const Link&) = default;
};

struct LinkOverride {
    NodeId from = no_node;
    NodeId to = no_node;
    Link link;
};

/// All links of a cluster: one kind for all, exceptions by direction, and which are cut.
class Network {
public:
    Network() = default;
    Network(Link everywhere, std::vector<LinkOverride> exceptions);

    /// Every message of every link just takes its delay: nothing is lost, copied, held up or cut.
    [[nodiscard]] bool is_calm() const { return calm_; }
    [[nodiscard]] const Link& link(NodeId from, NodeId to) const {
        return exceptions_.empty() ? everywhere_ : find(from, to);
    }
    [[nodiscard]] const Link& everywhere() const { return everywhere_; }
    /// Changes every link from what it is, `change` read as by `Link::from_value`; returns whether
    /// that changed anything.
    bool change_all(const Value& change);
    void set(NodeId from, NodeId to, const Link& link);
    [[nodiscard]] const std::vector<LinkOverride>& exceptions() const { return exceptions_; }

    [[nodiscard]] bool is_cut(NodeId from, NodeId to) const {
        return cuts_ != 0 && (cut_[row(from) + to / 64] >> (to % 64) & 1) != 0;
    }
    /// Returns whether this changed anything.
    bool set_cut(NodeId from, NodeId to, bool cut, NodeId actors);
    /// Mends every link; returns how many were cut.
    std::size_t heal();
    [[nodiscard]] std::size_t cuts() const { return cuts_; }

    /// Of all links and cuts.
    [[nodiscard]] std::uint64_t hash() const;

    [[nodiscard]] Value to_value() const;
    static Network from_value(const Value& value, NodeId actors);

private:
    static std::uint64_t key(NodeId from, NodeId to) { return std::uint64_t{from} << 32 | to; }
    [[nodiscard]] std::size_t row(NodeId from) const { return std::size_t{from} * words_; }
    [[nodiscard]] const Link& find(NodeId from, NodeId to) const;
    void judge_calm();

    Link everywhere_;
    std::vector<LinkOverride> exceptions_;  // sorted by (from, to)
    std::vector<std::uint64_t> cut_;        // a bit per direction; allocated at the first cut
    std::size_t words_ = 0;
    std::size_t cuts_ = 0;
    bool calm_ = true;
};

/// A value per direction of a link: dense for small clusters, else only for links in use.
template <class T>
class PerLink {
public:
    void reset(NodeId actors) {
        if (actors == 0 && actors_ == 0) {
            return;  // nothing was ever kept: as it is
        }
        actors_ = actors;
        dense_.assign(actors <= dense_limit ? std::size_t{actors} * actors : 0, T{});
        sparse_.clear();
    }
    [[nodiscard]] bool ready() const { return actors_ != 0; }
    T& at(NodeId from, NodeId to) {
        return actors_ <= dense_limit ? dense_[std::size_t{from - 1} * actors_ + to - 1]
                                      : sparse_[std::uint64_t{from} << 32 | to];
    }

    /// Of what `of(value)` gives for each link; a link for which that is 0 does not count.
    template <class Of>
    [[nodiscard]] std::uint64_t hash(Of&& of) const {
        std::uint64_t sum = 0;  // in any order
        const auto add = [&](std::uint64_t link, const T& value) {
            const auto word = static_cast<std::uint64_t>(of(value));
            sum += word == 0 ? 0 : mix64(mix64(link) + word);
        };
        for (std::size_t i = 0; i < dense_.size(); ++i) {
            add((i / actors_ + 1) << 32 | (i % actors_ + 1), dense_[i]);
        }
        for (const auto& [link, value] : sparse_) {
            add(link, value);
        }
        return sum;
    }

private:
    static constexpr NodeId dense_limit = 64;
    NodeId actors_ = 0;
    std::vector<T> dense_;
    std::unordered_map<std::uint64_t, T> sparse_;  // its order decides nothing
};

}  // namespace electionlab
