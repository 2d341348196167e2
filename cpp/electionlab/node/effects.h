// What a handler wants done, written into a buffer that the caller reuses.
//
// Order of duties, whatever order the handler wrote them in:
//   1. persist: the disk part of the state is made durable;
//   2. timers are cancelled and set;
//   3. messages leave, in the order written, and not before every write that the node has begun
//      is done.
// A crash between 1 and 3 loses the messages; a crash before 1 is done loses the write as well.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "electionlab/core/ids.h"
#include "electionlab/node/timer.h"

namespace electionlab {

/// A reason in plain words with up to two numbers for its `{}`; only read while recording.
struct Note {
    const char* text = nullptr;
    std::int64_t first = 0;
    std::int64_t second = 0;
};

template <class MessageType>
class Effects {
public:
    using Message = MessageType;
    struct Outgoing {
        NodeId to;  ///< `no_node`: to every other member
        Message message;
    };
    struct TimerChange {
        std::uint32_t timer;
        NodeId about;  ///< the peer, of a timer that there is one of for each; else `no_node`
        bool set;
        TimerSpec spec;
    };

    // --- what a protocol calls ---

    /// Make the disk part of the state durable before any of these messages leaves.
    void persist() { persist_ = true; }
    void send(NodeId to, Message message) { sends_.push_back({to, std::move(message)}); }
    /// One message to every other member; the caller expands it, in ascending order of node.
    void broadcast(Message message) { sends_.push_back({no_node, std::move(message)}); }
    /// (Re-)arm a timer; a timer already armed starts anew.
    template <class Timer>
    void set_timer(Timer timer, TimerSpec spec) {
        timers_.push_back({static_cast<std::uint32_t>(timer), no_node, true, spec});
    }
    template <class Timer>
    void cancel_timer(Timer timer) {
        timers_.push_back({static_cast<std::uint32_t>(timer), no_node, false, {}});
    }
    /// The same for the timer of this name about one peer; see `per_peer` in protocol.h.
    template <class Timer>
    void set_timer(Timer timer, NodeId about, TimerSpec spec) {
        timers_.push_back({static_cast<std::uint32_t>(timer), about, true, spec});
    }
    template <class Timer>
    void cancel_timer(Timer timer, NodeId about) {
        timers_.push_back({static_cast<std::uint32_t>(timer), about, false, {}});
    }
    /// Why the handler did what it did, for people; `text` must live for ever (a literal).
    void note(const char* text, std::int64_t first = 0, std::int64_t second = 0) {
        if (wants_notes_) {
            notes_.push_back({text, first, second});
        }
    }

    // --- what the caller of a protocol reads ---

    void clear() {
        persist_ = false;
        sends_.clear();
        timers_.clear();
        notes_.clear();
    }
    void want_notes(bool wanted) { wants_notes_ = wanted; }
    [[nodiscard]] bool persists() const { return persist_; }
    [[nodiscard]] std::span<Outgoing> sends() { return sends_; }
    [[nodiscard]] std::span<const TimerChange> timers() const { return timers_; }
    [[nodiscard]] std::span<const Note> notes() const { return notes_; }

private:
    std::vector<Outgoing> sends_;
    std::vector<TimerChange> timers_;
    std::vector<Note> notes_;
    bool persist_ = false;
    bool wants_notes_ = false;
};

}  // namespace electionlab
