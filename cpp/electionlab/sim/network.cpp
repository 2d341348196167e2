#include "electionlab/sim/network.h"

#include <algorithm>
#include <bit>
#include <string>

#include "electionlab/core/errors.h"
#include "electionlab/core/fields.h"

namespace electionlab {
namespace {

bool less(const LinkOverride& a, const LinkOverride& b) {
    return a.from != b.from ? a.from < b.from : a.to < b.to;
}

}  // namespace

Value Link::to_value() const {
    return Value::Dict{{"one_way_delay_ms", delay.to_value()},
                       {"loss_probability", loss},
                       {"duplicate_probability", duplicate},
                       {"reorder_probability", reorder},
                       {"reorder_delay_ms", reorder_delay.to_value()},
                       {"fifo", fifo}};
}

Link Link::from_value(const Value& value, const Link& otherwise, std::string_view name) {
    Reader in(value, std::string(name));
    Link link = otherwise;
    if (const Value& delay = in.take("one_way_delay_ms"); !delay.is_null()) {
        link.delay = Distribution::from_value(delay, in.name("one_way_delay_ms"));
    }
    link.loss = in.number("loss_probability", link.loss, 0, 1);
    link.duplicate = in.number("duplicate_probability", link.duplicate, 0, 1);
    link.reorder = in.number("reorder_probability", link.reorder, 0, 1);
    if (const Value& delay = in.take("reorder_delay_ms"); !delay.is_null()) {
        link.reorder_delay = Distribution::from_value(delay, in.name("reorder_delay_ms"));
    }
    link.fifo = in.boolean("fifo", link.fifo);
    in.finish();
    return link;
}

std::uint64_t Link::hash() const {
    std::uint64_t hash = delay.hash();
    for (const double chance : {loss, duplicate, reorder}) {
        hash_word(hash, std::bit_cast<std::uint64_t>(chance));
    }
    hash_into(hash, reorder_delay);
    hash_word(hash, std::uint64_t{fifo});
    return hash;
}

std::uint64_t Network::hash() const {
    std::uint64_t hash = everywhere_.hash();
    for (const LinkOverride& exception : exceptions_) {
        hash_word(hash, key(exception.from, exception.to));
        hash_into(hash, exception.link);
    }
    hash_word(hash, cuts_);
    for (std::size_t i = 0; cuts_ > 0 && i < cut_.size(); ++i) {
        hash_word(hash, cut_[i]);
    }
    return hash;
}

Network::Network(Link everywhere, std::vector<LinkOverride> exceptions)
    : everywhere_(std::move(everywhere)) {
    for (const LinkOverride& exception : exceptions) {
        set(exception.from, exception.to, exception.link);
    }
    judge_calm();
}

void Network::judge_calm() {
    const Link& l = everywhere_;
    calm_ = exceptions_.empty() && cuts_ == 0 && l.loss <= 0 && l.duplicate <= 0 && l.reorder <= 0 &&
            !l.fifo;
}

const Link& Network::find(NodeId from, NodeId to) const {
    const LinkOverride wanted{from, to, {}};
    const auto found = std::lower_bound(exceptions_.begin(), exceptions_.end(), wanted, less);
    return found != exceptions_.end() && found->from == from && found->to == to ? found->link
                                                                                : everywhere_;
}

bool Network::change_all(const Value& change) {
    bool changed = false;
    const auto apply = [&](Link& link) {
        Link next = Link::from_value(change, link, "link");
        changed = changed || !(next == link);
        link = std::move(next);
    };
    apply(everywhere_);
    for (LinkOverride& exception : exceptions_) {
        apply(exception.link);
    }
    judge_calm();
    return changed;
}

void Network::set(NodeId from, NodeId to, const Link& link) {
    const LinkOverride wanted{from, to, link};
    const auto place = std::lower_bound(exceptions_.begin(), exceptions_.end(), wanted, less);
    if (place != exceptions_.end() && place->from == from && place->to == to) {
        place->link = link;
    } else {
        exceptions_.insert(place, wanted);
    }
    judge_calm();
}

bool Network::set_cut(NodeId from, NodeId to, bool cut, NodeId actors) {
    if (cut_.empty()) {
        words_ = actors / 64 + 1;
        cut_.assign((std::size_t{actors} + 1) * words_, 0);
    }
    std::uint64_t& word = cut_[row(from) + to / 64];
    const std::uint64_t bit = std::uint64_t{1} << (to % 64);
    if (((word & bit) != 0) == cut) {
        return false;
    }
    word ^= bit;
    cuts_ = cut ? cuts_ + 1 : cuts_ - 1;
    judge_calm();
    return true;
}

std::size_t Network::heal() {
    const std::size_t mended = cuts_;
    std::fill(cut_.begin(), cut_.end(), 0);
    cuts_ = 0;
    judge_calm();
    return mended;
}

Value Network::to_value() const {
    Value value = everywhere_.to_value();
    Value::Dict dict = *value.get_if<Value::Dict>();
    Value::List links;
    for (const LinkOverride& exception : exceptions_) {
        links.push_back(Value::Dict{{"from", exception.from},
                                    {"to", exception.to},
                                    {"link", exception.link.to_value()}});
    }
    dict.emplace_back("links", std::move(links));
    return dict;
}

Network Network::from_value(const Value& value, NodeId actors) {
    Value::Dict everywhere;
    const Value* links = nullptr;
    if (const auto* dict = value.get_if<Value::Dict>()) {
        for (const auto& [name, entry] : *dict) {
            if (name == "links") {
                links = &entry;
            } else {
                everywhere.emplace_back(name, entry);
            }
        }
    } else if (!value.is_null()) {
        invalid("network", show(value), "must be a dictionary");
    }
    Network network(Link::from_value(everywhere, Link{}, "network"), {});
    if (links == nullptr || links->is_null()) {
        return network;
    }
    const auto* list = links->get_if<Value::List>();
    if (list == nullptr) {
        invalid("network.links", show(*links), "must be a list");
    }
    for (const Value& entry : *list) {
        Reader in(entry, "network.links");
        const auto from = static_cast<NodeId>(in.integer("from", 0, 1, actors));
        const auto to = static_cast<NodeId>(in.integer("to", 0, 1, actors));
        if (from == no_node || to == no_node || from == to) {
            invalid("network.links", show(entry), "needs two different nodes 'from' and 'to'");
        }
        const Link link = Link::from_value(in.take("link"), network.everywhere_, "network.links.link");
        in.finish();
        network.set(from, to, link);
    }
    return network;
}

}  // namespace electionlab
