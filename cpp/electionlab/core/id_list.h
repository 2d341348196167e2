// An immutable, shared list of node ids: the payload of messages that grow (the ring's list).
//
// Copying is a reference count; blocks come from a pool of the thread, so that a running ring
// allocates nothing. Equality and hashing go by content: it behaves as a value.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <span>
#include <utility>

#include "electionlab/core/ids.h"

namespace electionlab {

class IdList {
public:
    IdList() = default;
    IdList(std::initializer_list<NodeId> ids) : IdList(std::span(ids.begin(), ids.size())) {}
    explicit IdList(std::span<const NodeId> ids);
    IdList(const IdList& other);
    IdList(IdList&& other) noexcept : block_(std::exchange(other.block_, nullptr)) {}
    IdList& operator=(IdList other) noexcept {
        std::swap(block_, other.block_);
        return *this;
    }
    ~IdList();

    /// This list with one more id at its end.
    [[nodiscard]] IdList with(NodeId node) const;

    [[nodiscard]] std::span<const NodeId> ids() const;
    [[nodiscard]] std::size_t size() const { return ids().size(); }
    [[nodiscard]] bool empty() const { return block_ == nullptr; }
    [[nodiscard]] bool contains(NodeId node) const;
    /// The first id; `no_node` of an empty list.
    [[nodiscard]] NodeId front() const { return empty() ? no_node : ids().front(); }
    [[nodiscard]] auto begin() const { return ids().begin(); }
    [[nodiscard]] auto end() const { return ids().end(); }

    friend bool operator==(const IdList& a, const IdList& b);

private:
    struct Block;
    class Pool;
    static IdList make(std::span<const NodeId> ids, std::size_t size);

    Block* block_ = nullptr;
};

}  // namespace electionlab
