#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# command-pages.sh MPACTL SCDOC FOLDER: makes FOLDER/mpactl-COMMAND.8 for each command of MPACTL.
set -eu
mpactl=$1 scdoc=$2 folder=$3
mkdir -p "$folder"
rm -f "$folder"/mpactl-*.8
for command in $("$mpactl" man); do
    "$mpactl" man "$command" >"$folder/source.scd"
    "$scdoc" <"$folder/source.scd" >"$folder/mpactl-$command.8"
done
rm -f "$folder/source.scd"
