#include "electionlab/catalog/scenario.h"

#include <charconv>
#include <cstdio>
#include <memory>
#include <vector>

#include "electionlab/catalog/catalog.h"
#include "electionlab/core/errors.h"

namespace electionlab {
namespace {

// --- values -------------------------------------------------------------------------------------

class ValueParser {
public:
    explicit ValueParser(std::string_view text) : text_(text) {}

    Value whole() {
        Value value = any(0);
        skip();
        if (at_ != text_.size()) {
            fail();
        }
        return value;
    }

private:
    [[noreturn]] void fail() const {
        invalid("value", "'" + std::string(text_) + "'",
                "must be a number, true, false, a word, \"text\", [list] or {\"key\": value}");
    }
    void skip() {
        while (at_ < text_.size() && text_[at_] == ' ') {
            ++at_;
        }
    }
    bool take(char c) {
        skip();
        const bool there = at_ < text_.size() && text_[at_] == c;
        at_ += there ? 1 : 0;
        return there;
    }
    Value any(int depth) {
        if (depth > 20) {
            fail();
        }
        if (take('[')) {
            Value::List list;
            while (!take(']')) {
                if (!list.empty() && !take(',')) {
                    fail();
                }
                list.push_back(any(depth + 1));
            }
            return list;
        }
        if (take('{')) {
            Value::Dict dict;
            while (!take('}')) {
                if (!dict.empty() && !take(',')) {
                    fail();
                }
                skip();
                std::string key = take('"') ? quoted() : word();
                if (!take(':')) {
                    fail();
                }
                dict.emplace_back(std::move(key), any(depth + 1));
            }
            return dict;
        }
        if (take('"')) {
            return quoted();
        }
        return scalar(word());
    }
    std::string quoted() {
        const std::size_t end = text_.find('"', at_);
        if (end == std::string_view::npos) {
            fail();
        }
        const std::string inside(text_.substr(at_, end - at_));
        at_ = end + 1;
        return inside;
    }
    std::string word() {
        const std::size_t end = std::min(text_.find_first_of(" ,:]}", at_), text_.size());
        if (end == at_) {
            fail();
        }
        const std::string inside(text_.substr(at_, end - at_));
        at_ = end;
        return inside;
    }
    static Value scalar(const std::string& word) {
        if (word == "true" || word == "false") {
            return word == "true";
        }
        const char* end = word.data() + word.size();
        std::int64_t whole = 0;
        if (const auto r = std::from_chars(word.data(), end, whole); r.ec == std::errc() && r.ptr == end) {
            return whole;
        }
        double number = 0;
        if (const auto r = std::from_chars(word.data(), end, number); r.ec == std::errc() && r.ptr == end) {
            return number;
        }
        return word;
    }

    std::string_view text_;
    std::size_t at_ = 0;
};

// --- directives ---------------------------------------------------------------------------------

struct Directive {
    std::string name;
    std::vector<std::string> words;                       // without "="
    std::vector<std::pair<std::string, Value>> entries;   // key=value

    const Value* find(std::string_view key) const {
        for (const auto& [name_, value] : entries) {
            if (name_ == key) {
                return &value;
            }
        }
        return nullptr;
    }
    double number(std::string_view key, double otherwise) const {
        const Value* value = find(key);
        if (value == nullptr) {
            return otherwise;
        }
        return duration_from_ms(*value, key).to_ms();
    }
};

// Words are split at blanks, except inside brackets and quotes.
std::vector<std::string> split(std::string_view line) {
    std::vector<std::string> words;
    std::string word;
    int depth = 0;
    bool in_text = false;
    for (const char c : line) {
        in_text = c == '"' ? !in_text : in_text;
        depth += in_text ? 0 : (c == '[' || c == '{') ? 1 : (c == ']' || c == '}') ? -1 : 0;
        if (c == ' ' && depth == 0 && !in_text) {
            if (!word.empty()) {
                words.push_back(std::exchange(word, {}));
            }
        } else {
            word += c;
        }
    }
    if (!word.empty()) {
        words.push_back(word);
    }
    return words;
}

Directive read_directive(std::string_view line) {
    Directive d;
    for (const std::string& word : split(line)) {
        const std::size_t equals = word.find('=');
        if (d.name.empty()) {
            d.name = word;
        } else if (equals == std::string::npos || word[0] == '[') {
            d.words.push_back(word);
        } else {
            d.entries.emplace_back(word.substr(0, equals), parse_value(word.substr(equals + 1)));
        }
    }
    return d;
}

// --- the run ------------------------------------------------------------------------------------

class Runner {
public:
    [[nodiscard]] bool has_begun() const { return cluster_ != nullptr; }

    std::string run(std::string_view line) {
        const Directive d = read_directive(line);
        if (d.name == "cluster") {
            make(d);
            return "";
        }
        if (cluster_ == nullptr) {
            invalid("directive", "'" + d.name + "'", "a scenario begins with: cluster PROTOCOL nodes=N");
        }
        if (d.name == "step") {
            return step(d);
        }
        if (d.name == "run") {
            return run_on(d);
        }
        if (d.name == "tell") {
            return tell(!d.words.empty() && d.words[0] == "brief");
        }
        if (d.name == "nodes") {
            return nodes();
        }
        if (d.name == "leaders") {
            return leaders();
        }
        if (d.name == "count") {
            return count(d);
        }
        if (d.name == "violations") {
            return violations();
        }
        if (d.name == "measures") {
            return measures(d);
        }
        act(d);
        return "";
    }

private:
    void make(const Directive& d) {
        if (d.words.size() != 1) {
            invalid("cluster", std::to_string(d.words.size()) + " words", "needs the name of a protocol");
        }
        const CatalogEntry& entry = find_protocol(d.words[0]);
        Value::Dict options, config, network;
        NodeId nodes = 0;
        const auto check_nodes = [&](bool good, const std::string& given) {
            if (!good) {
                invalid("nodes", given,
                        "must be a whole number from 1 to " + std::to_string(entry.max_nodes));
            }
        };
        for (const auto& [key, value] : d.entries) {
            if (key == "nodes") {
                const auto* n = value.get_if<std::int64_t>();
                check_nodes(n != nullptr && *n >= 1 && *n <= entry.max_nodes, show(value));
                nodes = static_cast<NodeId>(*n);
            } else if (key == "delay_ms") {
                network.emplace_back("one_way_delay_ms", value);
            } else if (key == "loss") {
                network.emplace_back("loss_probability", value);
            } else if (key == "seed" || key == "initial_leader" || key == "write_mode") {
                config.emplace_back(key, value);
            } else if (key == "config" && value.get_if<Value::Dict>() != nullptr) {
                for (const auto& setting : *value.get_if<Value::Dict>()) {
                    config.push_back(setting);
                }
            } else {
                options.emplace_back(key, value);
            }
        }
        if (!network.empty()) {
            config.emplace_back("network", std::move(network));
        }
        check_nodes(nodes != 0, "nothing");
        cluster_ = entry.make_cluster(options, nodes, config, true);
        told_ = 0;
    }

    std::string step(const Directive& d) {
        const Value count = d.words.empty() ? Value(1) : parse_value(d.words[0]);
        const auto* n = count.get_if<std::int64_t>();
        if (n == nullptr || *n < 1 || *n > 1'000'000) {
            invalid("step", show(count), "must be a whole number from 1 to 1000000");
        }
        for (std::int64_t i = 0; i < *n; ++i) {
            cluster_->step();
        }
        return "";
    }

    std::string run_on(const Directive& d) {
        constexpr std::int64_t most = 1'000'000;
        if (d.words.empty()) {
            const Duration span = ms_of(d.number("for_ms", 0));
            const Instant until = d.find("until_ms") != nullptr
                                      ? Instant{} + ms_of(d.number("until_ms", 0))
                                      : cluster_->now() + span;
            cluster_->run(until, most, StopWhen::never, nullptr);
            return "";
        }
        const Instant until = cluster_->now() + ms_of(d.number("within_ms", 60'000));
        for (const StopWhen when : {StopWhen::leader, StopWhen::agreement, StopWhen::violation}) {
            if (d.words[0] == enum_name(when)) {
                const bool met = cluster_->run(until, most, when, nullptr);
                return met ? "" : "no " + d.words[0] + " within the time\n";
            }
        }
        invalid("run", "'" + d.words[0] + "'", "must be leader, agreement or violation, or for_ms=");
    }

    static Duration ms_of(double ms) { return duration_from_ms(Value(ms), "time"); }

    void act(const Directive& d) {
        Value::Dict action{{"action", d.name}};
        const bool picks = d.name == "deliver" || d.name == "drop" || d.name == "duplicate" ||
                           d.name == "delay";
        if (picks) {
            action.emplace_back("message", find_message(d));
        } else if (!d.words.empty()) {
            action.emplace_back("node", parse_value(d.words[0]));
            if ((d.name == "fire" || d.name == "command") && d.words.size() > 1) {
                action.emplace_back(d.name == "fire" ? "timer" : "command", d.words[1]);
            }
        }
        for (const auto& [key, value] : d.entries) {
            action.emplace_back(key, value);
        }
        std::vector<std::string> messages;
        for (const KindInfo& kind : cluster_->description().messages) {
            messages.push_back(kind.name);
        }
        const ActionScope scope{cluster_->actors(), &cluster_->description().timers, &messages,
                                &cluster_->description()};
        cluster_->apply(action_from_value(action, scope));
    }

    // deliver VoteRequest 1->2: the earliest in flight of that kind between these nodes.
    std::int64_t find_message(const Directive& d) const {
        const auto bad = [&] {
            invalid(d.name, d.words.empty() ? "nothing" : "'" + d.words[0] + "'",
                    "needs the kind of a message in flight, and its way: VoteRequest 1->2");
        };
        if (d.words.size() != 2) {
            bad();
        }
        for (const PendingEvent& event : cluster_->pending()) {
            if (event.kind != PendingEvent::Kind::message) {
                continue;
            }
            const auto& kind = cluster_->description().messages[static_cast<std::size_t>(event.message_kind)];
            const std::string way = std::to_string(event.peer) + "->" + std::to_string(event.node);
            if (kind.name == d.words[0] && way == d.words[1]) {
                return event.message;
            }
        }
        bad();
        return 0;
    }

    std::string tell(bool brief) {
        const Trace& trace = cluster_->trace();
        std::string out;
        for (; told_ < trace.size(); ++told_) {
            const TraceRow row = trace.row(told_);
            const bool detail = row.kind == RowKind::send || row.kind == RowKind::write ||
                                row.kind == RowKind::view;
            if (!(brief && detail)) {
                out += trace.line(row) + "\n";
            }
        }
        return out;
    }

    std::string nodes() const {
        std::string out;
        for (NodeId node = 1; node <= cluster_->actors(); ++node) {
            const View view = cluster_->view(node);
            out += "node " + std::to_string(node) + ": " + std::string(enum_name(view.role));
            out += view.leader != no_node ? ", leader " + std::to_string(view.leader) : ", no leader known";
            out += view.epoch != 0 ? ", epoch " + std::to_string(view.epoch) + "\n" : "\n";
        }
        return out;
    }

    std::string leaders() const {
        std::string who;
        for (NodeId node = 1; node <= cluster_->members(); ++node) {
            if (cluster_->view(node).leads()) {
                who += (who.empty() ? "node " : ", node ") + std::to_string(node);
            }
        }
        if (who.empty()) {
            const std::string why = cluster_->why_no_leader();
            return "nobody acts as leader" + (why.empty() ? "" : " (" + why + ")") + "\n";
        }
        return who + " acts as leader; all live nodes agree: " +
               (cluster_->monitor().agreed() ? "yes" : "no") + "\n";
    }

    std::string count(const Directive& d) const {
        std::string out;
        const Value traffic = cluster_->traffic();
        for (const std::string& kind : d.words) {
            const Value* entry = traffic.find("by_kind")->find(kind);
            if (entry == nullptr) {
                invalid("count", "'" + kind + "'", "is no kind of message of this protocol");
            }
            out += kind + ": " + show(*entry->find("sent")) + " sent, " +
                   show(*entry->find("delivered")) + " delivered\n";
        }
        return out;
    }

    std::string violations() const {
        std::string out;
        for (const Violation& v : cluster_->monitor().violations()) {
            char at[32];
            std::snprintf(at, sizeof at, "%.3f ms", v.at.to_ms());
            out += std::string(at) + ": " + std::string(v.invariant) + " at node " +
                   std::to_string(v.node) +
                   (v.other != no_node ? " and node " + std::to_string(v.other) : "") + "\n";
        }
        return out.empty() ? "none\n" : out;
    }

    std::string measures(const Directive& d) const {
        std::string out;
        const Value all = measures_to_value(cluster_->monitor(), cluster_->now());
        for (const std::string& name : d.words) {
            const Value* value = all.find(name);
            if (value == nullptr) {
                invalid("measures", "'" + name + "'", "is no measure");
            }
            out += name + ": " + show(*value) + "\n";
        }
        return out;
    }

    std::unique_ptr<Cluster> cluster_;
    std::size_t told_ = 0;
};

}  // namespace

Value parse_value(std::string_view text) { return ValueParser(text).whole(); }

std::string run_scenario(std::string_view text) {
    Runner runner;
    std::string out, output;
    bool in_output = false;
    int number = 0;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        const std::string_view line = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        ++number;
        if (in_output && !line.empty()) {
            continue;  // the old output
        }
        if (in_output) {
            in_output = false;
        }
        out += std::string(line) + "\n";
        if (line == "----") {
            out += std::exchange(output, {});
            in_output = true;
        } else if (!line.empty() && line[0] != '#') {
            try {
                output += runner.run(line);
            } catch (const InvalidArgument& error) {
                throw InvalidArgument("line " + std::to_string(number) + ": " + error.what());
            }
        }
    }
    if (!runner.has_begun()) {
        invalid("scenario", "nothing", "must have at least the line: cluster PROTOCOL nodes=N");
    }
    return out;
}

}  // namespace electionlab
