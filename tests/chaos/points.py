# SPDX-License-Identifier: BSD-3-Clause
"""Deaths at exact places: the named fault points of a test build (lib/base/fault_point.h), and any single
instruction of the commit (step.c). Each of them must cost no connection anything."""
import json
import os
import re
import signal

import netlab
import stacks
import survivor

ARMED_SLOT = 1
# What makes a worker pass the points of a kind; the load alone passes those of a commit.
DRIVES = {"commit": "load", "publish": "load", "export": "away", "adopt": "to", "return": "frontend"}


def names():
    """The fault points of this build, in order; none if it has none."""
    try:
        with open(os.path.join(stacks.BUILD_DIR, "CMakeCache.txt")) as cache:
            if "MPA_FAULT_POINTS:BOOL=ON" not in cache.read():
                return []
        with open(os.path.join(stacks.ROOT, "lib", "base", "fault_point.h")) as header:
            return re.findall(r"^    X\((\w+), \"", header.read(), re.M)
    except OSError:
        return []


class Armed(survivor.Survivor):
    """A stack whose next process of a kind can be given an environment: arm("worker.1", MPA_FAULT_POINT=...). The one
    after it is ordinary again."""

    def bin_dir(self, wrapper):
        folder = super().bin_dir(wrapper)
        for name in ("mpa-worker", "mpa-frontend"):
            path = os.path.join(folder, name)
            program = os.path.realpath(path)
            os.unlink(path)
            with open(path, "w") as script:
                script.write("#!/bin/sh\n"
                             f"who={name.removeprefix('mpa-')}\n"
                             'before=\nfor word; do [ "$before" != --slot ] || who=$who.$word; before=$word; done\n'
                             f"arm={self.lab.dir}/arm.$who\n"
                             'if mv "$arm" "$arm.taken" 2>/dev/null; then . "$arm.taken"; echo $$ >"$arm.pid"; fi\n'
                             f'exec {program} "$@"\n')
            os.chmod(path, 0o755)
        return folder

    def arm(self, who, **environment):
        path = os.path.join(self.lab.dir, f"arm.{who}")
        if os.path.exists(f"{path}.pid"):
            os.unlink(f"{path}.pid")
        with open(f"{path}.new", "w") as file:
            file.write("".join(f"export {name}={value}\n" for name, value in environment.items()))
        os.rename(f"{path}.new", path)

    def armed_pid(self, who, timeout=10):
        """The process that has taken what arm() left."""
        path = os.path.join(self.lab.dir, f"arm.{who}.pid")

        def text():
            with open(path) as file:
                return file.read().strip()
        netlab.wait_until(lambda: os.path.exists(path) and text(), timeout, what=f"an armed {who}")
        return int(text())


def orders_until_dead(stack, pid, crowd, drive):
    """Does what passes the point again and again until the process is dead; what it is asked may fail by that."""
    for _ in range(30):
        if not survivor.is_running(pid):
            return
        try:
            if drive == "frontend":
                frontend = stack.frontend()
                crowd.fault()
                # A dying process hangs up before it stops to listen: nobody shall greet this one once more.
                os.unlink(os.path.join(stack.runtime_dir, "attach.sock"))
                os.kill(frontend, signal.SIGKILL)
                netlab.wait_until(lambda: stack.frontend() not in (0, frontend), what="the next frontend")
            elif drive != "load":
                stack.order("migrate", "bucket", "0-4095", "--to", str(ARMED_SLOT if drive == "to" else 1 - ARMED_SLOT))
                drive = {"to": "away", "away": "to"}[drive]
            netlab.wait_until(lambda: not survivor.is_running(pid), timeout=1)
        except netlab.LabError:
            pass  # the answer to an order whose worker has died, or not dead yet
    raise netlab.LabError(f"process {pid} is alive: its point was not passed")


def share_again(stack):
    """An order may have come after the death and left somebody with nothing. The frontend may be giving the new
    worker its share at the same time, so that takes a second look."""
    netlab.wait_until(lambda: len(stack.slots()) == stack.n_workers, timeout=20, what="all workers")
    for _ in range(5):
        stack.order("migrate", "bucket", "0-2047", "--to", str(1 - ARMED_SLOT))
        stack.order("migrate", "bucket", "2048-4095", "--to", str(ARMED_SLOT))
        try:
            stack.all_serve(timeout=1)
            return
        except netlab.LabError:
            continue
    stack.all_serve()


def give_all_away(stack):
    """The worker of ARMED_SLOT serves nothing; the frontend may be giving it its share at the same time."""
    stack.all_serve()
    for _ in range(5):
        stack.order("migrate", "bucket", "0-4095", "--to", str(1 - ARMED_SLOT))
        if set(stack.mpactl("buckets")["workers"]) == {1 - ARMED_SLOT}:
            return
    raise netlab.LabError("the worker still has buckets")


def die_at(stack, crowd, point, hit):
    """The worker of ARMED_SLOT dies at the hit-th passing of a point. Returns when all serve again."""
    who = f"worker.{ARMED_SLOT}"
    stack.arm(who, MPA_FAULT_POINT=f"{point}:{hit}")
    stack.kill(ARMED_SLOT)
    pid = stack.armed_pid(who)
    if point == "return_orphan":
        # With the frontend dead too, nobody has this worker's records: what it serves then is not promised.
        give_all_away(stack)
    crowd.fault()
    orders_until_dead(stack, pid, crowd, DRIVES[point.partition("_")[0]])
    share_again(stack)


class Stepper:
    """Kills a worker after a certain number of instructions of its commit, by mpa-step."""
    first, last = "stack_commit", "rx_frames_publish"

    def __init__(self, stack):
        self.stack = stack
        self.program = stacks.program("mpa-step", "tests/chaos")
        worker = stacks.program("mpa-worker", stack.programs["mpa-worker"])
        symbols = {name: int(address, 16) for address, name in
                   re.findall(r"^(\w+) [tT] (\w+)$", netlab.run("nm", worker), re.M)}
        missing = {self.first, self.last} - symbols.keys()
        if missing:
            raise netlab.LabError(f"mpa-worker has no {' '.join(missing)}: is it stripped?")
        self.offsets = symbols[self.first], symbols[self.last]
        self.worker_path = os.path.realpath(worker)

    def base(self, pid):
        with open(f"/proc/{pid}/maps") as maps:
            return next(int(line.split("-")[0], 16) for line in maps if line.rstrip().endswith(self.worker_path))

    def kill_after(self, slot, n_steps, n_tries):
        """After so many instructions of the first of n_tries turns that has so many. Returns (steps, False), or (length
        of the longest turn, True) when none had. The worker is dead."""
        pid = self.stack.slots()[slot]
        base = self.base(pid)
        text = netlab.run(self.program, str(pid), *(f"{base + offset:x}" for offset in self.offsets), str(n_tries),
                          str(n_steps))
        netlab.wait_until(lambda: not survivor.is_running(pid), what=f"the end of {pid}")
        answer = json.loads(text)
        return answer["steps"], answer["window"]
