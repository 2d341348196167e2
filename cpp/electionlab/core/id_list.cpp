#include "electionlab/core/id_list.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstdint>
#include <new>

namespace electionlab {

// The ids follow the header in the same piece of memory.
struct IdList::Block {
    std::atomic<std::uint32_t> references;  // atomic: forks of a cluster may live in two threads
    std::uint32_t size;
    std::uint32_t size_class;
    Block* next_free;

    NodeId* ids() { return reinterpret_cast<NodeId*>(this + 1); }
};

// One free list per power of two, per thread; a block freed by another thread just changes pools.
class IdList::Pool {
public:
    ~Pool() {
        alive() = false;
        for (Block* block : free_) {
            while (block != nullptr) {
                ::operator delete(std::exchange(block, block->next_free));
            }
        }
    }

    static Block* acquire(std::size_t size) {
        const auto size_class = static_cast<std::uint32_t>(std::bit_width(size | 3));
        Block* block = nullptr;
        if (alive() && (block = of_thread().free_[size_class]) != nullptr) {
            of_thread().free_[size_class] = block->next_free;
        } else {
            const std::size_t bytes = sizeof(Block) + (std::size_t{1} << size_class) * sizeof(NodeId);
            block = new (::operator new(bytes)) Block;
        }
        block->references.store(1, std::memory_order_relaxed);
        block->size = static_cast<std::uint32_t>(size);
        block->size_class = size_class;
        return block;
    }

    static void release(Block* block) {
        if (!alive()) {
            ::operator delete(block);
            return;
        }
        block->next_free = of_thread().free_[block->size_class];
        of_thread().free_[block->size_class] = block;
    }

private:
    static Pool& of_thread() {
        static thread_local Pool pool;
        return pool;
    }
    // Lists may outlive the thread's pool (static destruction): then they go back to the heap.
    static bool& alive() {
        static thread_local bool alive = true;
        return alive;
    }

    std::array<Block*, 34> free_{};
};

IdList::IdList(std::span<const NodeId> ids) {
    if (!ids.empty()) {
        *this = make(ids, ids.size());
    }
}

IdList::IdList(const IdList& other) : block_(other.block_) {
    if (block_ != nullptr) {
        block_->references.fetch_add(1, std::memory_order_relaxed);
    }
}

IdList::~IdList() {
    if (block_ != nullptr && block_->references.fetch_sub(1, std::memory_order_acq_rel) == 1) {
        Pool::release(block_);
    }
}

IdList IdList::make(std::span<const NodeId> ids, std::size_t size) {
    IdList list;
    list.block_ = Pool::acquire(size);
    std::copy(ids.begin(), ids.end(), list.block_->ids());
    return list;
}

IdList IdList::with(NodeId node) const {
    IdList longer = make(ids(), size() + 1);
    longer.block_->ids()[size()] = node;
    return longer;
}

std::span<const NodeId> IdList::ids() const {
    return block_ == nullptr ? std::span<const NodeId>{}
                             : std::span<const NodeId>(block_->ids(), block_->size);
}

bool IdList::contains(NodeId node) const {
    return std::find(begin(), end(), node) != end();
}

bool operator==(const IdList& a, const IdList& b) {
    return a.block_ == b.block_ || std::equal(a.begin(), a.end(), b.begin(), b.end());
}

}  // namespace electionlab
