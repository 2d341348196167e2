// Catch2 for every test file, whichever of versions 2 and 3 is installed.
//
// Use only what both have: TEST_CASE, TEMPLATE_TEST_CASE, SECTION, GENERATE, CAPTURE, INFO, CHECK,
// REQUIRE and their _THROWS, _THROWS_AS and _THROWS_WITH forms; `contains` below for messages.
#pragma once

#include <string>

#if __has_include(<catch2/catch_test_macros.hpp>)
#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators_all.hpp>
#include <catch2/matchers/catch_matchers.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#else
#include <catch2/catch.hpp>
#endif

/// Matcher for a part of an error message: `CHECK_THROWS_WITH(f(), contains("nodes"))`.
inline auto contains(const std::string& text) {
#if __has_include(<catch2/catch_test_macros.hpp>)
    return Catch::Matchers::ContainsSubstring(text);
#else
    return Catch::Matchers::Contains(text);
#endif
}
