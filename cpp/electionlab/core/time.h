// Simulated time: whole nanoseconds, so that sums are exact and runs are equal everywhere.
#pragma once

#include <compare>
#include <cstdint>
#include <limits>

namespace electionlab {

/// A span of time in nanoseconds. 64 bits reach 292 years.
struct Duration {
    std::int64_t ns = 0;

    friend constexpr auto operator<=>(Duration, Duration) = default;
    friend constexpr Duration operator+(Duration a, Duration b) { return {a.ns + b.ns}; }
    friend constexpr Duration operator-(Duration a, Duration b) { return {a.ns - b.ns}; }
    friend constexpr Duration operator*(Duration a, std::int64_t k) { return {a.ns * k}; }
    constexpr Duration& operator+=(Duration other) {
        ns += other.ns;
        return *this;
    }
    /// This span in milliseconds, for people and plots; never used to decide anything.
    [[nodiscard]] constexpr double to_ms() const { return static_cast<double>(ns) / 1e6; }
};

/// A point of simulated time: nanoseconds since the cluster was started.
struct Instant {
    std::int64_t ns = 0;

    friend constexpr auto operator<=>(Instant, Instant) = default;
    friend constexpr Instant operator+(Instant t, Duration d) { return {t.ns + d.ns}; }
    friend constexpr Duration operator-(Instant a, Instant b) { return {a.ns - b.ns}; }
    [[nodiscard]] constexpr double to_ms() const { return static_cast<double>(ns) / 1e6; }

    /// Later than everything that happens: an unarmed timer, a schedule that is empty.
    static constexpr Instant never() { return {std::numeric_limits<std::int64_t>::max()}; }
};

constexpr Duration nanoseconds(std::int64_t n) { return {n}; }
constexpr Duration us(std::int64_t n) { return {n * 1'000}; }
constexpr Duration ms(std::int64_t n) { return {n * 1'000'000}; }
constexpr Duration seconds(std::int64_t n) { return {n * 1'000'000'000}; }

/// The longest duration an option may have (about 11 days); keeps every sum far from overflow.
inline constexpr Duration longest_duration = seconds(1'000'000);

/// A closed interval of durations; both ends can be drawn.
struct DurationRange {
    Duration min;
    Duration max;

    friend constexpr bool operator==(const DurationRange&, const DurationRange&) = default;
};

}  // namespace electionlab
