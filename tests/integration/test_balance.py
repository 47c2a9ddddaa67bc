# SPDX-License-Identifier: BSD-3-Clause
"""A load that lies on one of two workers is evened while it runs: real frames, verified bytes, no connection
lost."""
import crowd as crowds
import netlab
import survivor

N = 16  # connections, each busy


def frames_by_worker(stack, before=None):
    """{worker: frames of its buckets}, since `before` (an earlier answer of mpactl buckets)."""
    now = stack.mpactl("buckets")
    start = before["frames"] if before else [0] * len(now["frames"])
    count = {0: 0, 1: 0}
    for worker, frames, old in zip(now["workers"], now["frames"], start):
        count[worker] += int(frames) - int(old)
    return count, now


def test_a_load_on_one_of_two_workers_is_evened_while_it_runs(lab):
    stack = survivor.Survivor(lab, lab.ns("even")).start(
        control={"balance": "false", "balance_ms": 200, "balance_floor_permille": 5}).ready()
    stack.all_serve()
    n_buckets = stack.mpactl("buckets")["n_buckets"]
    with crowds.Crowd(stack.space) as crowd:
        crowd.carry("bulk", N, 32768)
        stack.order("migrate", "bucket", f"0-{n_buckets - 1}", "--to", "0")
        crowd.goes_on()
        # The frontend looks at the workers' gauges ten times a second.
        netlab.wait_until(lambda: stack.connections() == {0: N, 1: 0}, what="all connections on worker 0")
        stack.order("balance", "on")
        seen = {"last": stack.mpactl("buckets"), "explain": None}

        def is_even():
            crowd.goes_on(2_000_000)
            count, seen["last"] = frames_by_worker(stack, seen["last"])
            return min(count.values()) >= 0.3 * sum(count.values())
        try:
            netlab.wait_until(is_even, 40, what="at least 30 % of the frames for each worker")
        finally:
            print(stack.mpactl("explain"))
        crowd.goes_on()
        moved = [move["bucket"] for decision in stack.mpactl("explain")["decisions"] for move in decision["moves"]]
        # Sixteen buckets are busy: nothing else has moved, and none of them more than twice.
        assert 4 <= len(set(moved)) <= N and all(moved.count(bucket) <= 2 for bucket in moved), moved
        crowd.clean()


def heavy_flow(stack, known):
    """The flow that has carried most bytes, of those not yet known."""
    found = {}

    def is_there():
        flows = [it for it in stack.flows() if it["key"] not in known]
        found.update(max(flows, key=lambda it: int(it["rx_bytes"])))
        return int(found["rx_bytes"]) > 3_000_000
    netlab.wait_until(is_there, what="a heavy flow")
    return dict(found)


def two_elephants(stack, crowd):
    """Two flows that are the load, in different buckets."""
    crowd.carry("bulk", 1, 65536)
    first = heavy_flow(stack, [])
    while True:
        member = crowd.carry("bulk", 1, 65536)
        second = heavy_flow(stack, [first["key"]])
        if second["bucket"] != first["bucket"]:
            return [first, second]
        member.order("stop")
        crowd.last_line(member)
        crowd.members.remove(member)


def test_an_elephant_goes_alone_and_its_company_stays(lab):
    """Few buckets, so that each has many flows; two of them carry nearly everything, both on worker 0."""
    stack = survivor.Survivor(lab, lab.ns("alone")).start(
        frontend={"n_buckets": 64},
        control={"balance": "false", "balance_floor_permille": 5}).ready()
    stack.all_serve()
    with crowds.Crowd(stack.space) as crowd:
        crowd.carry("idle", 300, 100)
        elephants = two_elephants(stack, crowd)
        stack.order("migrate", "bucket", "0-63", "--to", "0")
        stack.order("balance", "on")
        moves = []

        def is_alone():
            moves[:] = [it for it in stack.mpactl("explain")["decisions"] if it["reason"] == "move_elephant"]
            return moves and moves[-1]["outcome"].startswith("done")
        try:
            netlab.wait_until(is_alone, 30, what="an elephant that moves")
        finally:
            stack.order("balance", "off")
            print(*(f"{it['text']} [{it['outcome']}]" for it in stack.mpactl("explain")["decisions"]), sep="\n")
            print(stack.mpactl("workers"), [it for it in stack.flows() if int(it["rx_bytes"]) > 100_000])
        move = moves[-1]["moves"][0]
        flows = stack.flows()
        gone = next(it for it in elephants if it["bucket"] == move["bucket"])
        assert moves[-1]["outcome"].endswith(" alone") and str(gone["key"]["remote_port"]) in moves[-1]["outcome"]
        assert [it["worker"] for it in flows if it["key"] == gone["key"]] == [move["to"]] == [1]
        company = [it for it in flows if it["bucket"] == move["bucket"] and it["key"] != gone["key"]]
        assert company and {it["worker"] for it in company} == {0}
        assert stack.mpactl("buckets")["workers"][move["bucket"]] == 0
        crowd.goes_on()
        crowd.clean()
