# SPDX-License-Identifier: BSD-3-Clause
"""What a test could leave behind in the namespaces of its run: see netlab.isolate()."""
import os

import netlab
import stacks


def descriptors(pid):
    """What a process has open, by kind: {"memfd:mpa-records": 2, "socket": 9, ...}."""
    kinds = {}
    for name in os.listdir(f"/proc/{pid}/fd"):
        try:
            target = os.readlink(f"/proc/{pid}/fd/{name}")
        except FileNotFoundError:
            continue  # closed meanwhile
        kind = target.removeprefix("/").split(" ")[0].split(":[")[0]
        kinds[kind] = kinds.get(kind, 0) + 1
    return kinds


def mappings(pid):
    """The shared segments a process has mapped."""
    with open(f"/proc/{pid}/maps") as maps:
        return sorted(line.split(None, 5)[5].strip() for line in maps if "memfd:" in line)


def everything():
    """All that is there beside pytest itself: processes, memfds, namespaces, files. As a dict of what is not empty."""
    us = os.getpid()
    processes = {pid: name for pid, name in stacks.descendants(us).items() if pid != us}
    found = {"processes": processes,
             "memfds": [kind for kind in descriptors(us) if kind.startswith("memfd:")],
             "segments": mappings(us),
             "namespaces": os.listdir("/run/netns"),
             "files": os.listdir(netlab.WORK_DIR)}
    return {kind: things for kind, things in found.items() if things}


def wait_for_none(timeout=5):
    """A process that has lost its parent may need a moment to notice. With no process but us, what memory there is
    is ours: a memfd lives no longer than those who hold it."""
    try:
        netlab.wait_until(lambda: not everything(), timeout)
    except netlab.LabError:
        raise netlab.LabError(f"left behind: {everything()}") from None
