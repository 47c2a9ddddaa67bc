#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# quickstart.sh [--once]: from a clean clone to a running stack. Installs what is missing, builds, starts the
# stack on a TAP in a network namespace of its own, fetches pages through it, and shows who served them.
# Ctrl-C stops everything. --once: the same unattended, exit 0 when every step was right, nothing left behind.
set -euo pipefail

readonly root=$(cd "$(dirname "$0")/.." && pwd)
readonly build=${MPA_BUILD_DIR:-$root/build/release}
readonly ns=mpa-quickstart
readonly run_dir=/run/mpa-quickstart
readonly stack4=10.77.0.2 peer4=10.77.0.1/24
readonly stack6=fd77::2 peer6=fd77::1/64
readonly n_pages=20

once=no
case ${1:-} in
'') ;;
--once) once=yes ;;
*)
    echo "usage: $0 [--once]" >&2
    exit 2
    ;;
esac

say() { printf '\n== %s\n' "$*"; }
fail() {
    printf 'quickstart: %s\n' "$*" >&2
    [ ! -s "$log" ] || sed 's/^/  | /' "$log" | tail -n 20 >&2
    exit 1
}
in_ns() { ip netns exec "$ns" "$@"; }
mpactl() { "$build/controlplane/mpactl/mpactl" --runtime-dir "$run_dir" "$@"; }

log=$(mktemp)
controld_pid=
owns_ns=no
cleanup() {
    trap '' INT TERM
    if [ -n "$controld_pid" ] && kill -0 "$controld_pid" 2>/dev/null; then
        kill -TERM "$controld_pid"
        wait "$controld_pid" 2>/dev/null || true
    fi
    if [ "$owns_ns" = yes ]; then
        ip netns delete "$ns" 2>/dev/null || true
        rm -rf "$run_dir"
    fi
    rm -f "$log"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

# Waits until a command succeeds, at most so many tenths of a second.
wait_for() {
    local tenths=$1
    shift
    while ! "$@" >/dev/null 2>&1; do
        tenths=$((tenths - 1))
        [ "$tenths" -gt 0 ] || return 1
        [ -z "$controld_pid" ] || kill -0 "$controld_pid" 2>/dev/null || return 1
        sleep 0.1
    done
}

[ "$(id -u)" = 0 ] || fail 'run it as root: it makes a network namespace and a TAP'

say 'Installing what is missing'
"$root/scripts/install-deps.sh" build

say 'Building (about a minute on two cores)'
if [ ! -f "$build/build.ninja" ]; then
    (cd "$root" && cmake --preset release >/dev/null)
fi
# The programs alone: with the tests it takes four times as long.
cmake --build "$build" --target mpa-frontend mpa-worker mpa-controld mpactl | tail -n 1

say "Starting the stack: frontend and two workers on TAP mpa0 in namespace $ns"
! ip netns list | grep -qw "$ns" || fail "namespace $ns exists: is another quickstart running? (ip netns delete $ns)"
ip netns add "$ns"
owns_ns=yes
in_ns ip link set lo up
mkdir -p "$run_dir"
# Not by in_ns: $! must be the daemon itself, not a shell around it.
ip netns exec "$ns" "$build/controlplane/controld/mpa-controld" --config "$root/deploy/mpa.yaml" --runtime-dir "$run_dir" \
    --bin-dir "$build" >"$log" 2>&1 &
controld_pid=$!
wait_for 100 in_ns ip link show mpa0 || fail 'the TAP did not appear'
in_ns ip address add "$peer4" dev mpa0
in_ns ip address add "$peer6" dev mpa0 nodad
in_ns ip link set mpa0 up
is_serving() { [ "$(mpactl --json workers | grep -c '"serving"')" = 2 ]; }
wait_for 100 is_serving || fail 'the workers did not come up'
wait_for 50 in_ns curl -sf --max-time 1 -o /dev/null "http://$stack4/" || fail 'no page over IPv4'
wait_for 50 in_ns curl -sgf --max-time 1 -o /dev/null "http://[$stack6]/" || fail 'no page over IPv6'

say "Fetching $n_pages pages over IPv4 and $n_pages over IPv6 with curl"
for _ in $(seq "$n_pages"); do
    in_ns curl -sf --max-time 5 -o /dev/null "http://$stack4/" || fail 'a page over IPv4 failed'
    in_ns curl -sgf --max-time 5 -o /dev/null "http://[$stack6]/" || fail 'a page over IPv6 failed'
done
in_ns curl -s --max-time 5 "http://$stack4/" | head -n 5

say 'Pinging it'
in_ns ping -c 3 -i 0.2 -W 2 "$stack4" || fail 'no answer to ping'
in_ns ping -6 -c 3 -i 0.2 -W 2 "$stack6" || fail 'no answer to ping over IPv6'

say 'mpactl status'
mpactl status
mpactl workers
served() { mpactl --json workers | grep -c '"connections_accepted": *"\?[1-9]'; }
wait_for 20 test 2 = "$(served)" || [ "$(served)" = 2 ] || fail 'one of the workers has served nothing'

if [ "$once" = yes ]; then
    say 'Every step was right; stopping'
    mpactl stop || fail 'mpactl stop'
    wait "$controld_pid" || fail 'mpa-controld did not end well'
    controld_pid=
    exit 0
fi

cat <<EOF

It runs until you press Ctrl-C. Try in another terminal (as root):
  ip netns exec $ns curl http://$stack4/            a page from the stack
  ip netns exec $ns wrk -c 64 -t 2 http://$stack4/  load (packages wrk, tshark: scripts/install-deps.sh)
  $build/controlplane/mpactl/mpactl --runtime-dir $run_dir lanes
  $build/controlplane/mpactl/mpactl --runtime-dir $run_dir stats --nonzero
  $build/controlplane/mpactl/mpactl --runtime-dir $run_dir capture --write - | tshark -r -
  $build/controlplane/mpactl/mpactl --runtime-dir $run_dir events -f      what happens, while you try:
  $build/controlplane/mpactl/mpactl --runtime-dir $run_dir drain 0; ... undrain 0; ... kill 1; ... update
EOF
wait "$controld_pid" || fail 'mpa-controld ended'
