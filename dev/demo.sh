#!/usr/bin/env bash
# The README's first command: installs electionlab into .venv, elects a leader with every protocol
# and crashes it where another follows, and writes the pictures to out/. Arguments go to the demo:
# dev/demo.sh --seed 7.

. "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

setup_build
setup_package
"$venv/bin/python" -m electionlab demo --out out/ "$@"
