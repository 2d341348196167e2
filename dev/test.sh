#!/usr/bin/env bash
# The README's second command: builds and runs every test.
#
#   dev/test.sh            all: cpp sanitize python lint
#   dev/test.sh STAGE...   only these, of: cpp sanitize golden python lint
#
#   cpp       the engine's tests: gcc, -O1, warnings are errors
#   sanitize  the same tests: clang, -O0, address and undefined-behaviour sanitizers
#   golden    the test cases tagged [golden] with gcc -O0, gcc -O3 and clang -O3; not among all, as
#             cpp and sanitize have them for gcc -O1 and clang -O0, and python has runs of every
#             protocol for gcc -O3
#   python    pytest, with the package as pip installs it (-O3), and the notebooks
#   lint      ruff and mypy

. "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

jobs=2
report=()

if [ -z "${CMAKE_CXX_COMPILER_LAUNCHER:-}" ] && command -v ccache >/dev/null; then
    # Another checkout may then use the same cache.
    export CMAKE_CXX_COMPILER_LAUNCHER=ccache CCACHE_BASEDIR=$root CCACHE_NOHASHDIR=1
    export CCACHE_SLOPPINESS=pch_defines,time_macros  # or it keeps nothing of precompiled headers
fi

find_tool() {
    local candidate
    for candidate in "$@"; do
        if is_cxx20 "$candidate"; then
            command -v "$candidate"
            return
        fi
    done
}
find_gcc() { find_tool g++ g++-14 g++-13 g++-12 g++-11; }
find_clang() { find_tool clang++ clang++-{19,18,17,16,15,14}; }

has_catch2() {
    [ -n "$(find /usr/include/catch2 /usr/local/include/catch2 -maxdepth 1 \
        -name 'catch*.hpp' 2>/dev/null)" ]
}

can_sanitize() {
    echo 'int main() {}' |
        "$1" -fsanitize=address,undefined -x c++ - -o /dev/null >/dev/null 2>&1
}

setup_cpp_tests() {
    local missing=()
    setup_build
    has_catch2 || missing+=(catch2)
    [ -n "$(find_gcc)" ] || missing+=(g++)
    [ -n "$(find_clang)" ] || missing+=(clang)
    [ ${#missing[@]} = 0 ] || apt_install "${missing[@]}"
    gcc=$(find_gcc)
    clang=$(find_clang)
    [ -n "$gcc" ] || fail "g++ 11 or newer is needed"
    [ -n "$clang" ] || fail "clang++ 14 or newer is needed"
    # Debian keeps the sanitizers' run-time part in a package of its own, one per major version.
    can_sanitize "$clang" || apt_install "libclang-rt-$("$clang" -dumpversion | cut -d. -f1)-dev"
    can_sanitize "$clang" || fail "$clang cannot link -fsanitize=address,undefined"
}

# run_ctest NAME COMPILER FLAGS [CMAKE OPTION...]: builds in build/NAME and runs all its tests.
run_ctest() {
    local name=$1 compiler=$2 flags=$3
    shift 3
    say "C++ tests: $(basename "$compiler") $flags $*"
    cmake -S . -B "build/$name" -G Ninja --log-level=WARNING -DCMAKE_CXX_COMPILER="$compiler" \
        -DCMAKE_BUILD_TYPE=Debug -DCMAKE_CXX_FLAGS_DEBUG="$flags" \
        -DELECTIONLAB_TESTS=ON -DELECTIONLAB_WERROR=ON -DELECTIONLAB_PRECOMPILE=ON "$@"
    cmake --build "build/$name" -j "$jobs"
    ctest --test-dir "build/$name" -j "$jobs" --no-tests=error --output-on-failure \
        --output-log "build/$name/ctest.log"
    report+=("$(grep -c ' Passed ' "build/$name/ctest.log") $name")
}

# A program of its own finds what `cmake --install` puts down, without Python or this checkout.
run_install() {
    local prefix=$root/build/installed
    say "installation, and a program that uses it"
    cmake --install "$1" --prefix "$prefix" >/dev/null
    cmake -S tests/install -B build/install-user -G Ninja --log-level=WARNING \
        -DCMAKE_CXX_COMPILER="$gcc" -DCMAKE_PREFIX_PATH="$prefix"
    cmake --build build/install-user
    build/install-user/elect
    report+=("installed package")
}

stage_cpp() {
    setup_cpp_tests
    # More optimisation costs more to compile than the tests would gain, and full debugging
    # information as much again; -g1 has the lines. At -O1 gcc 12 cannot see that a variant's
    # destructor only reads what is there.
    run_ctest gcc-O1 "$gcc" "-O1 -g1 -Wno-maybe-uninitialized"
    run_install build/gcc-O1
}

stage_sanitize() {
    setup_cpp_tests
    UBSAN_OPTIONS=print_stacktrace=1 \
        run_ctest clang-O0-sanitized "$clang" "-O0 -g1" -DELECTIONLAB_SANITIZE=address,undefined
}

stage_golden() {
    setup_cpp_tests
    run_ctest golden-gcc-O0 "$gcc" "-O0" -DELECTIONLAB_TESTS_TAG=golden
    run_ctest golden-gcc-O3 "$gcc" "-O3 -DNDEBUG" -DELECTIONLAB_TESTS_TAG=golden
    run_ctest golden-clang-O3 "$clang" "-O3 -DNDEBUG" -DELECTIONLAB_TESTS_TAG=golden
}

setup_python_tests() {
    setup_build
    once test pip_install -r dev/requirements-test.txt
    setup_package
}

# run_pytest NAME ARGUMENT...: a run without any test fails, as pytest then ends with 5.
run_pytest() {
    local name=$1 log=build/pytest-$1.log
    shift
    mkdir -p build
    "$venv/bin/python" -m pytest "$@" 2>&1 | tee "$log"
    report+=("$(grep -Eo '[0-9]+ passed' "$log" | tail -n 1 | cut -d' ' -f1) $name")
}

stage_python() {
    setup_python_tests
    say "Python tests"
    # A test that hangs inside the engine holds no signal handler, so the time limit is a thread's.
    MPLBACKEND=agg run_pytest pytest -n "$jobs" --timeout 600 --timeout-method thread
    say "notebooks"
    run_pytest notebooks -n "$jobs" --timeout 600 --timeout-method thread tests/notebooks
}

stage_lint() {
    setup_python_tests
    say "ruff and mypy"
    "$venv/bin/python" -m ruff check .
    "$venv/bin/python" -m mypy python/electionlab
    report+=("ruff" "mypy")
}

[ $# -gt 0 ] || set -- all
for stage in "$@"; do
    case $stage in
        cpp | sanitize | golden | python | lint | all) ;;
        *) fail "no stage '$stage'; there are: cpp sanitize golden python lint all" ;;
    esac
done
for stage in "$@"; do
    if [ "$stage" = all ]; then
        stage_cpp
        stage_sanitize
        stage_python
        stage_lint
    else
        "stage_$stage"
    fi
done

ran=$(printf ', %s' "${report[@]}")
say "all passed in $((SECONDS / 60)) min $((SECONDS % 60)) s: ${ran:2}"
