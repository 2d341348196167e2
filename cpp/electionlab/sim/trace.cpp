#include "electionlab/sim/trace.h"

#include <algorithm>
#include <cstdio>

#include "electionlab/core/errors.h"
#include "electionlab/sim/action.h"

namespace electionlab {

void TraceColumns::reserve(std::size_t capacity) {
    for_each_column(*this, [&](const char*, auto& column) { column.reserve(capacity); });
}

void TraceColumns::copy(const TraceColumns& from, std::size_t size) {
    const auto copy_column = [&](const auto& source, auto& target) {
        std::copy_n(source.data(), size, target.data());
    };
    copy_column(from.step, step);
    copy_column(from.time_ns, time_ns);
    copy_column(from.message, message);
    copy_column(from.epoch, epoch);
    copy_column(from.other_ns, other_ns);
    copy_column(from.body, body);
    copy_column(from.first, first);
    copy_column(from.second, second);
    copy_column(from.node, node);
    copy_column(from.peer, peer);
    copy_column(from.leader, leader);
    copy_column(from.text, text);
    copy_column(from.kind, kind);
    copy_column(from.detail, detail);
    copy_column(from.role, role);
    copy_column(from.message_kind, message_kind);
    copy_column(from.timer, timer);
}

void Trace::append(const TraceRow& row) {
    const std::size_t i = rows_.extend();
    TraceColumns& c = rows_.storage();
    c.step[i] = row.step;
    c.time_ns[i] = row.at.ns;
    c.kind[i] = static_cast<std::uint8_t>(row.kind);
    c.node[i] = row.node;
    c.peer[i] = row.peer;
    c.message[i] = row.message;
    c.message_kind[i] = row.message_kind;
    c.timer[i] = row.timer;
    c.detail[i] = row.detail;
    c.role[i] = static_cast<std::uint8_t>(row.role);
    c.leader[i] = row.leader;
    c.epoch[i] = row.epoch;
    c.other_ns[i] = row.other_ns;
    c.body[i] = row.body;
    c.text[i] = row.text;
    c.first[i] = row.first;
    c.second[i] = row.second;
}

void Trace::cut_back(std::int64_t from) {
    const TraceColumns& c = columns();
    std::size_t rows = size();
    std::size_t body_end = bodies_.size();
    while (rows > 0 && c.step[rows - 1] >= from) {
        --rows;
        // Arrivals point to the body that their send wrote, perhaps in a step that stays.
        if (c.kind[rows] == static_cast<std::uint8_t>(RowKind::send)) {
            body_end = std::min(body_end, static_cast<std::size_t>(c.body[rows]));
        }
    }
    rows_.truncate(rows);
    bodies_.truncate(body_end);
}

TraceRow Trace::row(std::size_t i) const {
    const TraceColumns& c = columns();
    TraceRow r;
    r.step = c.step[i];
    r.at = {c.time_ns[i]};
    r.kind = static_cast<RowKind>(c.kind[i]);
    r.node = c.node[i];
    r.peer = c.peer[i];
    r.message = c.message[i];
    r.message_kind = c.message_kind[i];
    r.timer = c.timer[i];
    r.detail = c.detail[i];
    r.role = static_cast<Role>(c.role[i]);
    r.leader = c.leader[i];
    r.epoch = c.epoch[i];
    r.other_ns = c.other_ns[i];
    r.body = c.body[i];
    r.text = c.text[i];
    r.first = c.first[i];
    r.second = c.second[i];
    return r;
}

Value Trace::message_of(const TraceRow& row) const {
    if (row.body < 0 || row.message_kind < 0) {
        return {};
    }
    const std::int64_t* at = bodies_.storage().words.data() + row.body;
    return description_->messages[static_cast<std::size_t>(row.message_kind)].decode(at);
}

std::int32_t Trace::intern(std::string_view words) {
    const auto found = numbers_.find(words);
    if (found != numbers_.end()) {
        return found->second;
    }
    const auto number = static_cast<std::int32_t>(texts_.size());
    texts_.emplace_back(words);
    numbers_.emplace(words, number);
    return number;
}

std::string fill(std::string_view text, std::int64_t first, std::int64_t second) {
    std::string out;
    std::int64_t next = first;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text.substr(i, 4) == "{{}}") {
            out += "{}";
            i += 3;
        } else if (text.substr(i, 2) == "{}") {
            out += std::to_string(next);
            next = second;
            ++i;
        } else {
            out += text[i];
        }
    }
    return out;
}

std::string unfilled(std::string text) {
    for (std::size_t at = 0; (at = text.find("{}", at)) != std::string::npos; at += 4) {
        text.replace(at, 2, "{{}}");
    }
    return text;
}

std::string Trace::text_of(const TraceRow& row) const {
    return row.text < 0 ? "" : fill(texts_[static_cast<std::size_t>(row.text)], row.first, row.second);
}

namespace {

std::string_view in_words(DropReason reason) {
    switch (reason) {
        case DropReason::loss: return "the network loses it";
        case DropReason::cut: return "the link is cut";
        case DropReason::receiver_down: return "the receiver is down";
        case DropReason::sender_crashed: return "the sender crashed before it left";
        case DropReason::by_hand: return "dropped by hand";
        default: return "";
    }
}

std::string_view in_words(WaitReason reason) {
    switch (reason) {
        case WaitReason::paused: return " waits: the node is paused";
        case WaitReason::writing: return " waits for the node's disk";
        case WaitReason::busy: return " waits its turn";
        case WaitReason::handled: return " is taken up";
        default: return " waits";
    }
}

}  // namespace

std::string Trace::line(const TraceRow& row) const {
    char stamp[64];
    std::snprintf(stamp, sizeof stamp, "%11.3f ms  ", row.at.to_ms());
    const std::string who = row.node == no_node ? "cluster" : "node " + std::to_string(row.node);
    const auto describe_message = [&] {
        std::string out = row.message_kind < 0
                              ? "a message"
                              : description_->messages[static_cast<std::size_t>(row.message_kind)].name;
        const Value fields = message_of(row);
        if (const auto* dict = fields.get_if<Value::Dict>(); dict != nullptr && !dict->empty()) {
            out += "(" + in_words(fields) + ")";
        }
        return out;
    };
    const std::string sender = "node " + std::to_string(row.peer);
    const auto its_timer = [&] {
        return "its " + description_->timers[static_cast<std::size_t>(row.timer)] + " timer" +
               (row.peer == no_node ? "" : " about " + sender);
    };
    std::string what;
    switch (row.kind) {
        case RowKind::start: what = who + " starts"; break;
        case RowKind::deliver: what = who + " receives " + describe_message() + " from " + sender; break;
        case RowKind::drop:
            what = describe_message() + " from " + sender + " to " + who + " is lost: " +
                   std::string(in_words(static_cast<DropReason>(row.detail)));
            break;
        case RowKind::timer:
            what = who + ": " + its_timer() + " expires";
            break;
        case RowKind::send: what = "  " + who + " sends " + describe_message() + " to " + sender; break;
        case RowKind::view:
            what = "  " + who + " is now " + std::string(enum_name(row.role)) +
                   (row.epoch != 0 ? ", epoch " + std::to_string(row.epoch) : "") +
                   (row.leader != no_node && row.role != Role::leader
                        ? ", follows " + std::to_string(row.leader)
                        : "");
            break;
        case RowKind::write: what = "  " + who + " writes to its disk"; break;
        case RowKind::note: what = "  " + who + " " + text_of(row); break;
        case RowKind::violation: what = "  VIOLATION at " + who + ": " + text_of(row); break;
        case RowKind::action:
            what = who + ": " + std::string(enum_name(static_cast<ActionKind>(row.detail))) +
                   (row.text < 0 ? "" : " " + text_of(row));
            break;
        case RowKind::wait:
            what = who + ": " +
                   (row.message >= 0 ? describe_message() + " from " + sender
                    : row.timer >= 0  ? its_timer()
                                      : std::string("its start")) +
                   std::string(in_words(static_cast<WaitReason>(row.detail)));
            break;
        case RowKind::lapse:
            what = who + ": an expired timer was set anew or cancelled while it waited";
            break;
        case RowKind::leader: what = "  " + who + " begins to act as leader"; break;
    }
    return stamp + what;
}

std::uint64_t Trace::hash() const {
    std::uint64_t hash = golden_gamma;
    for (std::size_t i = 0; i < size(); ++i) {
        const TraceRow r = row(i);
        for (const std::int64_t word :
             {r.step, r.at.ns, static_cast<std::int64_t>(r.kind), std::int64_t{r.node},
              std::int64_t{r.peer}, r.message, std::int64_t{r.message_kind}, std::int64_t{r.timer},
              std::int64_t{r.detail}, static_cast<std::int64_t>(r.role), std::int64_t{r.leader},
              r.epoch, r.other_ns, r.first, r.second}) {
            hash_word(hash, static_cast<std::uint64_t>(word));
        }
        for (const char c : text_of(r)) {
            hash_word(hash, static_cast<unsigned char>(c));
        }
        for (const char c : message_of(r).to_json()) {
            hash_word(hash, static_cast<unsigned char>(c));
        }
    }
    return hash;
}

}  // namespace electionlab
