#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# test.sh: installs what is missing, builds with both compilers and the sanitizers, runs every test and check.
# One line a step, the end of its log when it fails; the last line is "N passed, N failed" over all of them.
# Exit 0 only when nothing failed. MPA_JOBS: parallel jobs (default: CPUs). Logs: build/test-logs.
set -uo pipefail

readonly root=$(cd "$(dirname "$0")/.." && pwd)
readonly logs=$root/build/test-logs
readonly jobs=${MPA_JOBS:-$(nproc)}
readonly build_seconds=1200 test_seconds=900 check_seconds=120

n_passed=0
n_failed=0
step_pid=

# A step runs in a process group of its own (timeout makes it), so that one signal reaches all of it.
stop() {
    [ -z "$step_pid" ] || kill -TERM "$step_pid" 2>/dev/null
    printf '\n%d passed, %d failed (interrupted)\n' "$n_passed" "$n_failed"
    exit 130
}
trap stop INT TERM

# run SECONDS LOG COMMAND...: bounded in time, everything it says goes to the log.
run() {
    local seconds=$1 log=$2 status
    shift 2
    timeout --kill-after=20 "$seconds" "$@" >"$log" 2>&1 </dev/null &
    step_pid=$!
    wait "$step_pid"
    status=$?
    step_pid=
    [ "$status" != 124 ] || echo "stopped after $seconds seconds" >>"$log"
    return "$status"
}

# count NAME PASSED FAILED LOG: adds a step up and says so.
count() {
    n_passed=$((n_passed + $2))
    n_failed=$((n_failed + $3))
    if [ "$3" = 0 ]; then
        printf 'ok    %-28s %d passed\n' "$1" "$2"
    else
        printf 'FAIL  %-28s %d passed, %d failed; the end of %s:\n' "$1" "$2" "$3" "${4#"$root"/}"
        tail -n 40 "$4" | sed 's/^/    | /'
    fi
}

# check NAME SECONDS COMMAND...: a step that counts as one.
check() {
    local name=$1 seconds=$2 log=$logs/$1.log
    shift 2
    if run "$seconds" "$log" "$@"; then
        count "$name" 1 0 "$log"
    else
        count "$name" 0 1 "$log"
        return 1
    fi
}

# build PRESET COMPILER: the whole tree into build/PRESET. The compiler counts for a new build folder only.
build() {
    CC=$2 check "configure-$1" "$build_seconds" cmake --preset "$1" &&
        check "build-$1" "$build_seconds" cmake --build "build/$1" --parallel "$jobs"
}

# The numbers of a ctest log: passed and failed, with a pytest run counted by its own tests.
ctest_numbers() {
    awk '
        /tests passed, [0-9]+ tests? failed out of [0-9]+/ {
            match($0, /[0-9]+ tests? failed/); failed = substr($0, RSTART) + 0
            match($0, /out of [0-9]+/); passed = substr($0, RSTART + 7) - failed
        }
        /^[0-9]+: .*([0-9]+ (passed|failed|errors?)).* in [0-9.]+s/ {
            is_pytest = 1
            if (match($0, /[0-9]+ passed/)) pytest_passed += substr($0, RSTART)
            if (match($0, /[0-9]+ failed/)) pytest_failed += substr($0, RSTART)
            if (match($0, /[0-9]+ error/)) pytest_failed += substr($0, RSTART)
        }
        END {
            if (is_pytest) {
                # One that ended without a word of pytest is still counted.
                if (failed > 0 && pytest_failed == 0) pytest_failed = failed
                print pytest_passed + 0, pytest_failed + 0
            } else
                print passed + 0, failed + 0
        }' "$1"
}

# tests NAME PRESET CTEST-ARGUMENTS...: the tests of build/PRESET.
tests() {
    local name=$1 preset=$2 log=$logs/$1.log status passed failed
    shift 2
    run "$test_seconds" "$log" ctest --test-dir "build/$preset" --output-on-failure "$@"
    status=$?
    read -r passed failed < <(ctest_numbers "$log")
    # No test at all, or ctest itself was stopped: not a success.
    [ "$status" = 0 ] || [ "$failed" != 0 ] || failed=1
    count "$name" "$passed" "$failed" "$log"
}

check_format() {
    find . -path './build*' -prune -o -path ./.git -prune -o -name '*.[ch]' -print0 |
        xargs -0 clang-format --dry-run -Werror
}
export -f check_format

has_integration_tests() {
    ctest --test-dir build/dev --show-only -L integration 2>/dev/null | grep 'Test *#' >/dev/null
}

mkdir -p "$logs"
rm -f "$logs"/*.log
cd "$root" || exit 1

if check install-deps "$build_seconds" scripts/install-deps.sh all; then
    check format "$check_seconds" bash -c check_format
    check layers "$check_seconds" scripts/check-layers . docs/layers.txt
    check size "$check_seconds" scripts/check-size .
    check docs "$check_seconds" scripts/check-docs .
    check docs-generated "$check_seconds" scripts/gen-docs --check
    # ctest has these four too (label check), for those who call it by hand; once is enough here.
    if build dev gcc; then
        tests tests-dev dev -LE 'integration|check' --no-tests=error
        has_integration_tests && tests integration dev -L integration --verbose
    fi
    build release gcc && tests tests-release release -LE 'integration|check' --no-tests=error
    build chaos gcc && tests survival-points chaos -L points --verbose --no-tests=error
    build tsan gcc && tests tests-tsan tsan -L tsan --no-tests=error
    # The fuzz build is the one with clang; its targets must build, and every unit test passes in it as well.
    build fuzz clang && tests tests-clang fuzz -L unit --no-tests=error
fi

printf '%d passed, %d failed\n' "$n_passed" "$n_failed"
[ "$n_failed" = 0 ]
