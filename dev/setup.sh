#!/usr/bin/env bash
# What the two README commands need, installed only where it is missing: Python with headers, a C++20
# compiler, CMake and Ninja, and the checkout's own environment in .venv. Everything that pip can bring
# comes from pip; only the rest comes from apt, with sudo if need be.
#
# demo.sh and test.sh source this file and call the functions; run by hand, it installs electionlab
# into .venv.

set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
venv=$root/.venv
cd "$root"
export PIP_DISABLE_PIP_VERSION_CHECK=1
export PATH="$venv/bin:$PATH"

say() { printf '== %s\n' "$*"; }

fail() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

# apt_install PACKAGE...: the package lists are fetched again only if the install fails without.
apt_install() {
    local sudo=()
    command -v apt-get >/dev/null ||
        fail "these packages (named as in Debian) are missing, and there is no apt-get: $*"
    if [ "$(id -u)" != 0 ]; then
        if command -v sudo >/dev/null && { sudo -n true 2>/dev/null || [ -t 0 ]; }; then
            sudo=(sudo)
        else
            fail "these packages are missing; install them as root and start again:" \
                "apt-get install $*"
        fi
    fi
    local install=(${sudo[@]+"${sudo[@]}"} env DEBIAN_FRONTEND=noninteractive
        apt-get -qq -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0
        install -y --no-install-recommends "$@")
    say "installing with apt-get: $*"
    "${install[@]}" >/dev/null 2>&1 && return
    ${sudo[@]+"${sudo[@]}"} apt-get -qq update || true
    "${install[@]}" >/dev/null || fail "apt-get could not install: $*"
}

is_python() {
    command -v "$1" >/dev/null &&
        "$1" -c 'import sys; sys.exit(sys.version_info < (3, 10))' >/dev/null 2>&1
}

# Prints the first Python that is new enough, or nothing.
find_python() {
    local candidate
    for candidate in ${PYTHON:-} python3 python3.14 python3.13 python3.12 python3.11 python3.10; do
        if is_python "$candidate"; then
            "$candidate" -c 'import sys; print(sys.executable)'
            return
        fi
    done
}

has_headers() {
    "$1" -c 'import os, sys, sysconfig
sys.exit(not os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")))'
}

is_cxx20() {
    command -v "$1" >/dev/null && printf '%s\n' '#include <compare>' '#include <concepts>' \
        '#include <span>' 'int main() { return static_cast<int>(std::span<int>{}.size()); }' |
        "$1" -std=c++20 -x c++ - -o /dev/null >/dev/null 2>&1
}

# Prints the first compiler that builds C++20, or nothing.
find_cxx() {
    local candidate
    for candidate in ${CXX:-} g++ g++-14 g++-13 g++-12 g++-11 c++ clang++ clang++-{19,18,17,16,15,14}; do
        if is_cxx20 "$candidate"; then
            command -v "$candidate"
            return
        fi
    done
}

has_venv() { is_python "$venv/bin/python" && "$venv/bin/python" -m pip --version >/dev/null 2>&1; }

# make_venv PYTHON: true if .venv has a working pip afterwards. Debian splits ensurepip off; an
# installed pip or virtualenv does as well.
make_venv() {
    rm -rf "$venv"
    if "$1" -c 'import ensurepip, venv' 2>/dev/null; then
        "$1" -m venv "$venv" >/dev/null || true
    elif "$1" -m virtualenv --version >/dev/null 2>&1; then
        "$1" -m virtualenv -q "$venv" || true
    elif "$1" -m pip --version >/dev/null 2>&1; then
        "$1" -m venv --without-pip "$venv" 2>/dev/null &&
            "$1" -m pip -q --python "$venv/bin/python" install pip 2>/dev/null || true
    fi
    has_venv
}

# What apt has to bring, asked for in one go: Python, its headers and venv, and a compiler.
setup_system() {
    local python version missing=()
    if has_venv; then python=$venv/bin/python; else python=$(find_python); fi
    if [ -z "$python" ]; then
        missing+=(python3 python3-venv python3-dev)
    else
        version=$("$python" -c 'import sys; print("python%d.%d" % sys.version_info[:2])')
        if [ "$python" != "$venv/bin/python" ]; then
            say "making .venv with $("$python" --version)"
            make_venv "$python" || missing+=("$version-venv")
        fi
        has_headers "$python" || missing+=("$version-dev")
    fi
    [ -n "$(find_cxx)" ] || missing+=(g++)

    if [ ${#missing[@]} -gt 0 ]; then
        apt_install "${missing[@]}"
        python=$(find_python)
        [ -n "$python" ] || fail "Python 3.10 or newer is needed; found: $(python3 --version 2>&1)"
        has_venv || make_venv "$python" || fail "$python cannot make a virtual environment"
    fi
    CXX=$(find_cxx)
    [ -n "$CXX" ] || fail "a C++20 compiler is needed: g++ 11 or clang++ 14, or newer"
    export CXX
}

# once NAME COMMAND...: runs the command unless it succeeded before with this NAME and these pins.
once() {
    local stamp=$venv/.done-$1 pins
    shift
    pins="$(cksum <dev/requirements-test.txt) $*"
    if [ "$(cat "$stamp" 2>/dev/null)" != "$pins" ]; then
        "$@" && printf '%s\n' "$pins" >"$stamp"
    fi
}

pip_install() { "$venv/bin/python" -m pip install -q -c dev/requirements-test.txt "$@"; }

has_cmake() {
    command -v cmake >/dev/null && cmake --version | awk '
        NR == 1 { split($3, v, "."); exit !(v[1] > 3 || (v[1] == 3 && v[2] >= 22)) }'
}

# Python, compiler, CMake and Ninja.
setup_build() {
    setup_system
    local packages=(scikit-build-core pybind11)
    has_cmake || packages+=(cmake==3.31.10)
    command -v ninja >/dev/null || packages+=(ninja==1.13.0)
    once build pip_install "${packages[@]}"
    hash -r
}

# A number that changes whenever a file does that the package is built from.
sources_sum() {
    find CMakeLists.txt pyproject.toml LICENSE README.md cpp python dev/requirements-test.txt \
        -type f ! -name '*.pyc' -print0 | LC_ALL=C sort -z | xargs -0 cksum | cksum
}

# The package itself, into .venv; nothing is done when it is there and no source has changed.
# Without build isolation the build directory can be used again, and only changed files compile.
setup_package() {
    local stamp=$venv/.done-package sum
    sum=$(sources_sum)
    if [ "$(cat "$stamp" 2>/dev/null)" = "$sum" ] &&
        "$venv/bin/python" -m pip show -q electionlab 2>/dev/null; then
        return
    fi
    say "building and installing electionlab into .venv (the first build takes minutes)"
    pip_install --no-build-isolation .
    printf '%s\n' "$sum" >"$stamp"
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
    setup_build
    setup_package
    say "electionlab is installed: .venv/bin/electionlab --help"
fi
