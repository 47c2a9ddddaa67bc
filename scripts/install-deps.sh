#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# install-deps.sh [build|all]: installs by apt what is missing to build and run (build) and to run every test
# and benchmark (all, the default). Says nothing when nothing is missing.
set -euo pipefail

# Package and reason, a line each. CONTRIBUTING.md refers to this list.
readonly build_packages='
gcc                     the compiler
libc6-dev               its C library
cmake                   configures the build
ninja-build             runs it
pkg-config              finds the libraries
libcyaml-dev            configuration: text to values by schema
libyaml-dev             configuration: the line of every key
libseccomp-dev          confinement: system calls
libcap-ng-dev           confinement: capabilities
libsodium-dev           keyed hash of sequence numbers and dispatch
libnng-dev              control plane: transport
libprotobuf-c-dev       control plane: messages
protobuf-c-compiler     control plane: code from proto/
libpcap-dev             capture: BPF filters
libjansson-dev          mpactl --json
libncurses-dev          mpactl top
libsystemd-dev          event loop of mpa-controld, notices to systemd
scdoc                   manual pages
xz-utils                unpacks the lwIP source
debian-archive-keyring  verifies the lwIP source
ca-certificates         reaches mirrors that speak https
iproute2                TAP and network namespace of the quickstart
iputils-ping            quickstart
curl                    quickstart
procps                  quickstart
'
readonly test_packages='
clang                   second compiler, fuzzer
libclang-rt-14-dev      its sanitizers and fuzzer
clang-format            code format
universal-ctags         size check: where functions begin and end
python3                 checks, integration tests
python3-pytest          integration tests
python3-scapy           integration tests: frames of every kind
python3-yaml            integration tests: rules of alerts
libcunit1-dev           unit tests
check                   unit tests of lwIP itself
systemd                 integration: boots one of its own
dbus                    the same
polkitd                 the same
util-linux              integration: namespaces, setpriv
nmap                    integration: predictability of sequence numbers
tshark                  integration: captures
tmux                    integration: a terminal for mpactl top
zsh                     integration: completion
nftables                integration: loss
ethtool                 integration: offloads of a link
vde2                    integration: bad links (wirefilter)
wrk                     benchmarks: HTTP
iperf3                  benchmarks: throughput
valgrind                benchmarks: share of time (callgrind)
'

fail() {
    printf 'install-deps: %s\n' "$*" >&2
    exit 1
}

# The names in a list that are not installed.
missing_of() {
    local name reason
    while read -r name reason; do
        [ -n "$name" ] || continue
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null)" = installed ] || printf '%s\n' "$name"
    done <<<"$1"
}

install_quietly() {
    DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=120 install --yes \
        --no-install-recommends "$@" >"$log" 2>&1 </dev/null
}

# promtool comes with a daemon that Debian starts on installation: only the one program is taken out.
install_promtool() {
    local folder
    command -v promtool >/dev/null && return
    [ "$(id -u)" = 0 ] || fail 'not root; as root: promtool of the package prometheus is missing'
    echo 'install-deps: taking promtool out of the package prometheus'
    folder=$(mktemp -d)
    (cd "$folder" && { apt-get -qq download prometheus || { apt-get -qq update && apt-get -qq download prometheus; }; }) \
        >"$log" 2>&1 && dpkg-deb --fsys-tarfile "$folder"/prometheus_*.deb | tar -x -C "$folder" ./usr/bin/promtool &&
        install "$folder/usr/bin/promtool" /usr/local/bin/promtool || {
        rm -rf "$folder"
        tail -n 20 "$log" >&2
        fail 'promtool cannot be had from the package prometheus'
    }
    rm -rf "$folder"
}

case ${1:-all} in
build) wanted=$build_packages ;;
all) wanted=$build_packages$test_packages ;;
*)
    echo "usage: $0 [build|all]" >&2
    exit 2
    ;;
esac
command -v dpkg-query >/dev/null && command -v apt-get >/dev/null ||
    fail "this is no Debian; install by hand: $(awk 'NF { printf "%s ", $1 }' <<<"$wanted")"

log=$(mktemp)
trap 'rm -f "$log"' EXIT
[ "${1:-all}" = build ] || install_promtool
mapfile -t missing < <(missing_of "$wanted")
[ "${#missing[@]}" -gt 0 ] || exit 0
[ "$(id -u)" = 0 ] || fail "not root; as root run: apt-get install --no-install-recommends ${missing[*]}"

echo "install-deps: installing ${missing[*]}"
# The lists of a fresh machine may be absent or old: refresh them only when that is what stops us.
install_quietly "${missing[@]}" || {
    apt-get -qq update >"$log" 2>&1 && install_quietly "${missing[@]}"
} || {
    tail -n 20 "$log" >&2
    fail 'apt-get failed, see above'
}
