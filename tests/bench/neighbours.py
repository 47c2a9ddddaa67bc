# SPDX-License-Identifier: BSD-3-Clause
"""How much of the machine others had while something was measured.

Ours is more processes than the baseline, and each of them waits its turn for a core: on two cores one busy loop
beside the benchmark halves `requests` against the baseline. A figure means something only together with this
share, so every row has it.

Ours is what this pid namespace holds (netlab.isolate()); all other CPU time is theirs, that of interrupts and what
the hypervisor gave to other machines included.
"""
import os
import time

import stacks

TICK_S = 1 / os.sysconf("SC_CLK_TCK")
N_CPUS = os.cpu_count() or 1
LOOK_S, MAX_WAIT_S = 0.5, 30


def idle_s():
    """CPU time that nobody has used so far, of all cores together."""
    with open("/proc/stat") as stat:
        fields = stat.readline().split()[1:]
    return (int(fields[3]) + int(fields[4])) * TICK_S  # idle, and idle with a disk at work


def own_s():
    """CPU time of all processes of this namespace so far. What a process has used goes to whoever reaps it, so the
    sum does not fall when one ends."""
    # utime, stime, and the same of children waited for
    return TICK_S * sum(sum(map(int, fields[11:15])) for _, _, fields in stacks.process_stats())


class Watch:
    """with Watch() as watch: ...; then watch.share is what others had of the machine, from 0 to 1."""
    share = None

    def __enter__(self):
        self._began = time.monotonic(), idle_s(), own_s()
        return self

    def __exit__(self, *_error):
        took_s, unused_s, ours_s = (now - before for now, before in
                                    zip((time.monotonic(), idle_s(), own_s()), self._began))
        theirs_s = took_s * N_CPUS - unused_s - ours_s
        # Clock ticks are coarse: a short look at a machine at rest may come out below nothing.
        self.share = round(min(max(theirs_s / (took_s * N_CPUS), 0), 1), 3)


def wait_until_quiet(max_share):
    """Returns when others have had no more than that for LOOK_S, or after MAX_WAIT_S: then with what they had, else
    None."""
    deadline = time.monotonic() + MAX_WAIT_S
    while True:
        with Watch() as watch:
            time.sleep(LOOK_S)  # the measurement is a length of time
        if watch.share <= max_share:
            return None
        if time.monotonic() > deadline:
            return watch.share
