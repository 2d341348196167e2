// What happened, as columns: one row for every input, message, change of view, fault and note.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <map>
#include <memory>
#include <new>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "electionlab/core/ids.h"
#include "electionlab/core/time.h"
#include "electionlab/node/protocol.h"
#include "electionlab/node/view.h"

namespace electionlab {

/// What a row tells. The numbers are part of every trace file: append, never renumber.
enum class RowKind : std::uint8_t {
    start,      ///< a node starts for the first time
    deliver,    ///< a message arrives and is handled
    drop,       ///< a message is lost: see `reason`
    timer,      ///< a timer expires and is handled
    send,       ///< a message leaves; `other_ns` is when it will arrive, -1 if it will not
    view,       ///< a node's role, leader or epoch has become this
    write,      ///< a node begins a durable write; `other_ns` is when it is done
    note,       ///< why the handler did what it did
    violation,  ///< an invariant broke
    action,     ///< something done from outside; `detail` is the `ActionKind`, as are its effects
    leader,     ///< a node begins to act as leader, after its first row of `view`
    wait,       ///< a message or an expired timer begins to wait, or is taken up; `detail` says why
    lapse,      ///< an expired timer that had to wait was set anew meanwhile: nothing happens
};

constexpr std::string_view enum_name(RowKind kind) {
    constexpr std::string_view names[] = {"start", "deliver", "drop", "timer", "send", "view",
                                          "write", "note", "violation", "action", "leader",
                                          "wait", "lapse"};
    return static_cast<std::size_t>(kind) < 13 ? names[static_cast<std::size_t>(kind)] : "";
}

/// Why a message did not arrive.
enum class DropReason : std::uint8_t { none, loss, cut, receiver_down, sender_crashed, by_hand };

constexpr std::string_view enum_name(DropReason reason) {
    constexpr std::string_view names[] = {"",     "loss", "cut", "receiver_down", "sender_crashed",
                                          "by_hand"};
    return static_cast<std::size_t>(reason) < 6 ? names[static_cast<std::size_t>(reason)] : "";
}
inline constexpr std::size_t drop_reasons = 6;

/// Why something waits.
enum class WaitReason : std::uint8_t {
    none,
    paused,         ///< its node is paused
    writing,        ///< its node writes to its disk, and it is next
    busy,           ///< its node is at something else, or others came before it
    handled,        ///< its node is at it: a slow node takes its time
    sender_paused,  ///< its sender was paused before it left
};

constexpr std::string_view enum_name(WaitReason reason) {
    constexpr std::string_view names[] = {"",     "paused",  "writing",
                                          "busy", "handled", "sender_paused"};
    return static_cast<std::size_t>(reason) < 6 ? names[static_cast<std::size_t>(reason)] : "";
}

/// One row of a trace. Fields that a kind does not use are 0 or -1.
struct TraceRow {
    std::int64_t step = 0;        ///< number of the event, 1 and up; 0 before the first
    Instant at;
    RowKind kind = RowKind::start;
    NodeId node = no_node;        ///< where it happens; of a message: the receiver, of `send`: sender
    NodeId peer = no_node;        ///< the other end; of a timer, whom it is about
    std::int64_t message = -1;    ///< number of the message: equal in its send and its arrival
    std::int8_t message_kind = -1;
    std::int8_t timer = -1;
    std::uint8_t detail = 0;      ///< drop: `DropReason`; action: `ActionKind`; wait: `WaitReason`
    Role role = Role::follower;   ///< of `node`, after the row
    NodeId leader = no_node;      ///< whom `node` believes to lead, after the row
    Epoch epoch = 0;              ///< of `node`, after the row
    std::int64_t other_ns = -1;   ///< send: arrival; write: done; deliver: when it left; wait:
                                  ///< when a message that was taken up will be handled, else -1
    std::int64_t body = -1;       ///< where the message's fields lie in `bodies`
    std::int32_t text = -1;       ///< note, violation: number of the text
    std::int64_t first = 0;       ///< the text's numbers
    std::int64_t second = 0;
};

/// A growing array whose finished part can be handed out without copying: a view keeps the memory
/// alive, and what a view shows never changes, even when the trace is cut back and grows again.
///
/// `Storage` is a struct of equally long arrays with `Storage()`, `reserve(capacity)`, which keeps
/// what is there, and `copy(from, size)`.
template <class Storage>
class Growing {
public:
    /// The storage with room for one more entry, which the caller writes at the returned index.
    std::size_t extend(std::size_t by = 1) {
        if (size_ + by > capacity_) {
            move_to(std::max(std::size_t{64}, 2 * (size_ + by)));
        }
        return std::exchange(size_, size_ + by);
    }
    /// Forgets the entries from `size` on; views handed out before keep theirs.
    void truncate(std::size_t size) {
        if (size < size_) {
            size_ = size;
            if (storage_.use_count() > 1) {
                move_to(capacity_);
            }
        }
    }
    [[nodiscard]] std::size_t size() const { return size_; }
    [[nodiscard]] Storage& storage() { return *storage_; }
    [[nodiscard]] const Storage& storage() const { return *storage_; }
    [[nodiscard]] std::shared_ptr<const void> keep_alive() const { return storage_; }

    Growing() : storage_(std::make_shared<Storage>()) {}
    // A copy shares what is there and moves to memory of its own before it writes.
    Growing(const Growing& other)
        : storage_(other.storage_), size_(other.size_), capacity_(other.size_) {}
    Growing& operator=(const Growing& other) {
        storage_ = other.storage_;
        size_ = capacity_ = other.size_;
        return *this;
    }
    ~Growing() = default;

private:
    void move_to(std::size_t capacity) {
        if (storage_.use_count() > 1) {
            auto own = std::make_shared<Storage>();
            own->reserve(capacity);
            own->copy(*storage_, size_);
            storage_ = std::move(own);
        } else {
            storage_->reserve(capacity);
        }
        capacity_ = capacity;
    }

    std::shared_ptr<Storage> storage_;
    std::size_t size_ = 0;
    std::size_t capacity_ = 0;
};

/// An array of plain numbers that grows where it lies, if it can, and is not filled before.
template <class T>
class Column {
public:
    static_assert(std::is_trivially_copyable_v<T>);
    Column() = default;
    Column(const Column&) = delete;
    Column& operator=(const Column&) = delete;
    ~Column() { std::free(data_); }

    void reserve(std::size_t capacity) {
        void* grown = std::realloc(data_, std::max(capacity, std::size_t{1}) * sizeof(T));
        if (grown == nullptr) {
            throw std::bad_alloc();
        }
        data_ = static_cast<T*>(grown);
    }
    [[nodiscard]] T* data() { return data_; }
    [[nodiscard]] const T* data() const { return data_; }
    T& operator[](std::size_t i) { return data_[i]; }
    const T& operator[](std::size_t i) const { return data_[i]; }

private:
    T* data_ = nullptr;
};

/// The rows, column by column; each name is that of the row's field.
struct TraceColumns {
    Column<std::int64_t> step, time_ns, message, epoch, other_ns, body, first, second;
    Column<std::uint32_t> node, peer, leader;
    Column<std::int32_t> text;
    Column<std::uint8_t> kind, detail, role;
    Column<std::int8_t> message_kind, timer;

    void reserve(std::size_t capacity);
    void copy(const TraceColumns& from, std::size_t size);

    template <class Self, class Visitor>
    static void for_each_column(Self& self, Visitor&& visit) {
        visit("step", self.step);
        visit("time_ns", self.time_ns);
        visit("kind", self.kind);
        visit("node", self.node);
        visit("peer", self.peer);
        visit("message", self.message);
        visit("message_kind", self.message_kind);
        visit("timer", self.timer);
        visit("detail", self.detail);
        visit("role", self.role);
        visit("leader", self.leader);
        visit("epoch", self.epoch);
        visit("other_ns", self.other_ns);
        visit("body", self.body);
        visit("text", self.text);
        visit("first", self.first);
        visit("second", self.second);
    }
};

/// The fields of all messages, one number after the other.
struct TraceBodies {
    Column<std::int64_t> words;

    void reserve(std::size_t capacity) { words.reserve(capacity); }
    void copy(const TraceBodies& from, std::size_t size) {
        std::copy_n(from.words.data(), size, words.data());
    }
};

class Trace {
public:
    explicit Trace(const Description* description = nullptr) : description_(description) {}

    void append(const TraceRow& row);
    /// Keeps the rows of steps before `step` only.
    void cut_back(std::int64_t step);

    [[nodiscard]] std::size_t size() const { return rows_.size(); }
    [[nodiscard]] const TraceColumns& columns() const { return rows_.storage(); }
    /// Keeps `columns()` and what they point to alive, whatever becomes of the trace.
    [[nodiscard]] std::shared_ptr<const void> keep_alive() const { return rows_.keep_alive(); }
    [[nodiscard]] TraceRow row(std::size_t i) const;
    [[nodiscard]] const Description& description() const { return *description_; }

    /// The fields of a row's message as a dictionary; null when the row has none.
    [[nodiscard]] Value message_of(const TraceRow& row) const;
    /// The reason, violation or note of a row in words; empty when it has none.
    [[nodiscard]] std::string text_of(const TraceRow& row) const;
    [[nodiscard]] std::int32_t intern(std::string_view text);
    /// One line for people: "  187.2 ms  node 3 grants its vote ...".
    [[nodiscard]] std::string line(const TraceRow& row) const;
    /// A 64-bit hash over every row, note and message: equal traces, equal hashes, everywhere.
    [[nodiscard]] std::uint64_t hash() const;

    /// Appends the fields of a message and returns where they lie, for a row's `body`.
    template <class Message>
    std::int64_t add_body(const Message& m) {
        BodySink sink{bodies_};
        const auto at = static_cast<std::int64_t>(bodies_.size());
        MessageTraits<Message>::encode(m, sink);
        return at;
    }

private:
    struct BodySink {
        Growing<TraceBodies>& bodies;
        void push_back(std::int64_t word) {
            const std::size_t at = bodies.extend();
            bodies.storage().words[at] = word;
        }
    };

    const Description* description_;
    Growing<TraceColumns> rows_;
    Growing<TraceBodies> bodies_;
    std::vector<std::string> texts_;
    std::map<std::string, std::int32_t, std::less<>> numbers_;  // of the texts
};

/// "refuses: its vote of term 3 went to node 2": the note with its numbers filled in for each {};
/// {{}} gives {}.
std::string fill(std::string_view text, std::int64_t first, std::int64_t second);

/// The text with {} that `fill` gives back as it is.
std::string unfilled(std::string text);

}  // namespace electionlab
