#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# fetch-lwip.sh DIR: unpack stock lwIP 2.2.1 (upstream tarball of Debian's source package) into DIR.
# Signed by the Debian keyring, hash pinned here, no root, the system's apt lists untouched.
set -euo pipefail

readonly version='2.2.1+dfsg1'
readonly sha256='83729c274c499d3348e9fbbe043a3113f3fa8953e7efddc7c21c7fcbb1f2b7b1'
readonly keyring=/usr/share/keyrings/debian-archive-keyring.gpg

target=${1:?usage: fetch-lwip.sh DIR}
mkdir -p "$(dirname "$target")"
target=$(cd "$(dirname "$target")" && pwd)/$(basename "$target")
work=$(mktemp -d "$(dirname "$target")/lwip-fetch.XXXXXX")
trap 'rm -rf "$work"' EXIT

# The mirror that this machine's own apt sources already name, with trixie as the suite.
mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' | grep -E '/debian/?$' | head -n 1)
[ -n "$mirror" ] || mirror=$(grep -rhoE '^URIs:.*/debian/?$' /etc/apt/sources.list.d 2>/dev/null |
    head -n 1 | sed 's/^URIs: *//')
[ -n "$mirror" ] || mirror=$(grep -hoE '^deb[^#]*https?://[^ ]*/debian/?' /etc/apt/sources.list 2>/dev/null |
    head -n 1 | grep -oE 'https?://.*')
[ -n "$mirror" ] || { echo 'fetch-lwip: no Debian mirror in the apt sources; use -DLWIP_SOURCE_DIR=' >&2; exit 1; }

mkdir -p "$work/lists/partial" "$work/src"
echo "deb-src [signed-by=$keyring] $mirror trixie main" >"$work/sources.list"
apt=(apt-get -qq -o "Dir::Etc::sourcelist=$work/sources.list" -o Dir::Etc::sourceparts=/dev/null
    -o "Dir::State::Lists=$work/lists" -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache=
    -o APT::Sandbox::User=root)
"${apt[@]}" update
(cd "$work/src" && "${apt[@]}" source --download-only lwip >/dev/null)

tarball=$work/src/lwip_$version.orig.tar.xz
[ -f "$tarball" ] || { echo "fetch-lwip: the mirror has no lwip $version" >&2; exit 1; }
echo "$sha256  $tarball" | sha256sum --check --quiet
mkdir "$work/tree"
tar -xf "$tarball" -C "$work/tree" --strip-components=1
touch "$work/tree/.complete"
rm -rf "$target"
mv "$work/tree" "$target"
echo "fetch-lwip: stock lwIP 2.2.1 in $target"
