// A whole election of Chang and Roberts on a large ring in random order: how long, how much memory,
// and whether it took exactly the messages that the order asks for.
//
//     ring_election [nodes [shuffle]]
#include <sys/resource.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "electionlab/catalog/catalog.h"
#include "electionlab/protocols/id_ring.h"

namespace {

using namespace electionlab;

/// An id travels to the next greater one clockwise, the greatest all the way round: the sum of
/// these distances, each id looked at twice.
std::int64_t messages_by_order(const std::vector<NodeId>& clockwise) {
    const std::size_t n = clockwise.size();
    std::int64_t sum = 0;
    std::vector<std::size_t> under_way;  // positions whose ids met no greater one yet; ids descend
    for (std::size_t at = 0; at < 2 * n; ++at) {
        while (!under_way.empty() && clockwise[under_way.back()] < clockwise[at % n]) {
            sum += static_cast<std::int64_t>(at - under_way.back());
            under_way.pop_back();
        }
        if (at < n) {
            under_way.push_back(at);
        }
    }
    return sum + static_cast<std::int64_t>(n);  // the greatest id is left
}

std::int64_t sent(const Value& traffic, const char* kind) {
    return *traffic.find("by_kind")->find(kind)->find("sent")->get_if<std::int64_t>();
}

}  // namespace

int main(int argc, char** argv) {
    const auto nodes = static_cast<NodeId>(argc > 1 ? std::atol(argv[1]) : 1'000'000);
    const std::int64_t shuffle = argc > 2 ? std::atol(argv[2]) : 1;
    const auto start = std::chrono::steady_clock::now();
    const auto cluster = find_protocol("chang_roberts")
                             .make_cluster(Value::Dict{{"shuffle", shuffle}}, nodes,
                                           Value::Dict{{"seed", 1}}, false);
    const bool led = cluster->run(Instant::never(), INT64_MAX, StopWhen::leader, {});
    const double seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);

    IdRingOptions options;
    options.shuffle = shuffle;
    options.prepare(nodes);
    const std::int64_t expected = messages_by_order(options.clockwise());
    const std::int64_t messages = sent(cluster->traffic(), "Election");
    double mean = 0;  // n H_n
    for (NodeId k = nodes; k > 0; --k) {
        mean += static_cast<double>(nodes) / k;
    }
    std::printf("%u nodes, shuffle %lld: node %u leads after %.0f s of simulated time\n", nodes,
                static_cast<long long>(shuffle), cluster->leader(), cluster->now().to_ms() / 1e3);
    std::printf("ELECTION messages %lld, by the order %lld, n H_n %.0f\n",
                static_cast<long long>(messages), static_cast<long long>(expected), mean);
    std::printf("%.1f s (%.1f s of CPU), %.2f M events/s, %.0f MB at most\n", seconds,
                static_cast<double>(usage.ru_utime.tv_sec) +
                    static_cast<double>(usage.ru_utime.tv_usec) * 1e-6,
                static_cast<double>(cluster->steps()) / seconds / 1e6,
                static_cast<double>(usage.ru_maxrss) / 1024);
    return led && cluster->leader() == nodes && messages == expected ? 0 : 1;
}
