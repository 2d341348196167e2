// The one file that carries Catch2's main. With version 2 it is by far the slowest to compile, so
// nothing else stands here; version 3 links its own main.
#if !__has_include(<catch2/catch_test_macros.hpp>)
#define CATCH_CONFIG_MAIN
#include <catch2/catch.hpp>
#endif
