// Arrays that are looked up at random: large ones lie in large pages where the system has them, so
// that a look costs one trip to memory, and not several more to find out where the page is.
#pragma once

#include <cstddef>
#include <memory>
#include <new>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace electionlab::check {

struct LargeArrayDelete {
    std::align_val_t alignment{};
    void operator()(void* array) const noexcept { ::operator delete(array, alignment); }
};
/// Of numbers; an array begins at a line of cache.
template <class T>
using LargeArray = std::unique_ptr<T[], LargeArrayDelete>;

/// So many entries, of which nobody knows what they are.
template <class T>
LargeArray<T> make_large(std::size_t size) {
    constexpr std::size_t page = std::size_t{2} << 20, line = 64;
    const std::size_t bytes = size * sizeof(T);
    const auto alignment = std::align_val_t{bytes < page ? line : page};
    void* const array = ::operator new(bytes, alignment);
#if defined(__linux__)
    if (bytes >= page) {  // whole pages only: what is left over would cost memory that nobody uses
        madvise(array, bytes / page * page, MADV_HUGEPAGE);
    }
#endif
    return LargeArray<T>(static_cast<T*>(array), LargeArrayDelete{alignment});
}

}  // namespace electionlab::check
