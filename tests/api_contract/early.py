"""What comes before running, held long enough to be looked at: a cluster whose worker daemon comes late."""

from __future__ import annotations

from functools import partial

from tests.acceptance.harness import Cluster
from tests.api_contract.bundle import make_bundle
from tests.api_contract.holds import freeze, frozen_at_birth, spawner_of, thaw
from tests.api_contract.stages import SLOTS, Case, all_of, submitted
from tests.api_contract.work import busy, from_asset


class Early:
    """The cluster that has no worker daemon at first; its statuses come in order."""

    ORDER = ("pending", "scheduling", "initializing", "rejected")

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self._cases: dict[str, list[Case]] = {}
        self._is_initializing = False

    def prepare(self, numbers: dict[str, int]) -> None:
        """Submit what all statuses need."""
        asset = self.cluster.request("POST", "/assets", make_bundle()).body["asset_id"]
        job = from_asset(recoverable=True)
        number = numbers.pop("rejected")
        self._cases["rejected"] = all_of(partial(submitted, self.cluster, job, "rejected"), number)
        self.cluster.request("DELETE", f"/assets/{asset}")
        self._cases["rejected"][0].release = partial(self.cluster.request, "POST", "/assets", make_bundle())
        for column, number in numbers.items():
            cases = all_of(partial(submitted, self.cluster, busy(), column), number)
            first = submitted(self.cluster, busy(workers=2), column)
            self.cluster.post(f"/ex/{first.ex}/_stop")
            started = self.cluster.post(f"/jobs/{first.job}/_start")
            cases[0] = Case(
                self.cluster, first.job, started["ex_id"], column, older=first.ex, body=first.body
            )
            self._cases[column] = cases

    def cases(self, column: str) -> list[Case]:
        """Executions in that status, which the cluster goes on to."""
        if column != "pending":
            self._schedule()
        if column in ("initializing", "rejected"):
            self._initialize()
        for case in self._cases[column]:
            self.cluster.wait_status(case.ex, column)
        return self._cases[column]

    def thaw(self) -> None:
        """Hold nothing any more."""
        for case in [case for cases in self._cases.values() for case in cases if case.is_held]:
            case.release()

    def _schedule(self) -> None:
        """The worker daemon comes, but nothing can be forked."""
        if "worker" in self.cluster.daemons:
            return
        freeze({spawner_of(self.cluster)})
        self.cluster.add_worker(workers=SLOTS)
        for case in self._cases["scheduling"]:
            case.release, case.is_held = self._initialize, True

    def _initialize(self) -> None:
        """Everything is forked; the controllers of some go no further."""
        if self._is_initializing:
            return
        self._is_initializing = True
        spawner, cases = spawner_of(self.cluster), self._cases["initializing"]
        wanted = {case.ex for case in cases}
        with frozen_at_birth(spawner) as frozen:
            thaw({spawner})
            self.cluster.eventually(lambda: wanted <= set(self._controllers()), "controllers are born")
        pids = {ex: pid for ex, pid in self._controllers().items() if ex in wanted}
        thaw(frozen - set(pids.values()))
        for case in cases:
            case.release, case.is_held = partial(thaw, {pids[case.ex]}), True

    def _controllers(self) -> dict[str, int]:
        entries = [entry for node in self.cluster.get("/cluster/state").values() for entry in node["active"]]
        return {
            entry["ex_id"]: entry["pid"]
            for entry in entries
            if entry["assignment"] == "execution_controller" and entry["pid"]
        }
