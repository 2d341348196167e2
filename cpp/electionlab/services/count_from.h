// From when a holder counts a lease that somebody else's clock ends.
#pragma once

#include <cstdint>
#include <string_view>

namespace electionlab {

/// Only `sending` is safe: the term may have begun as early as that.
enum class CountFrom : std::uint8_t { sending, receiving };
constexpr std::string_view enum_name(CountFrom from) {
    constexpr std::string_view names[] = {"sending", "receiving"};
    return static_cast<std::size_t>(from) < 2 ? names[static_cast<std::size_t>(from)] : "";
}

}  // namespace electionlab
