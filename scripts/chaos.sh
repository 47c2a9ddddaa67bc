#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# chaos.sh [--connections N] [--minutes M] [--every MS] [--loss PCT] [--workers N] [--faults N] [--build-dir DIR]
# kill|migrate|update|frontend|stall|control|scale|all: builds (-O2), starts a stack of its own, opens connections that carry verified
# bytes both ways, and does that to it. The last line is JSON; exit 0 only when nothing was lost (--help: all
# options). As root: it makes namespaces, and the kernel takes them away however it ends.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
build=${MPA_BUILD_DIR:-$root/build/release}

case " $* " in
*" --build-dir"* | *" --help "* | *" -h "*) ;;
*)
    if [ -z "${MPA_BUILD_DIR:-}" ]; then
        # Messages of the build go to standard error: standard output is the line of JSON.
        (cd "$root" && scripts/install-deps.sh all && cmake --preset release >/dev/null &&
            cmake --build --preset release) >&2
    fi
    ;;
esac
exec env MPA_BUILD_DIR="$build" /usr/bin/python3 "$root/tests/chaos/chaos.py" "$@"
