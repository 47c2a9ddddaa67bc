#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# bench.sh [NAME...] [--json] [--runs N] [--seconds S] [--stacks A,B] [--pin] [--quiet P]: builds what is measured (-O2) and measures it.
# Exit status 0 whatever the figures are; non-zero when something did not run. As root: it makes namespaces,
# and the kernel takes them away however it ends.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
build=${MPA_BUILD_DIR:-$root/build/release}

if [ -z "${MPA_BUILD_DIR:-}" ]; then
    # Messages of the build go to standard error: standard output is the table or the JSON lines.
    (cd "$root" && scripts/install-deps.sh all && cmake --preset release >/dev/null &&
        cmake --build --preset release) >&2
fi
exec env MPA_BUILD_DIR="$build" /usr/bin/python3 "$root/tests/bench/bench.py" "$@"
