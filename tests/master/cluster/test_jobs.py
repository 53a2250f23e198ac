"""Jobs at the machine."""

from __future__ import annotations

from sliceworks.master.cluster import effects as ef
from sliceworks.master.cluster import events as ev
from sliceworks.master.store.records import DeleteJob, JobRecord, SaveJob
from sliceworks.protocol.errors import ConflictError, GoneError
from tests.master.cluster.rig import Rig

JOB = JobRecord("job-ex", "name", b"{}", created_ms=1, updated_ms=2)


def test_a_running_job_is_not_deleted(rig: Rig) -> None:
    rig.run()
    job_id = rig.row().job_id
    answer = rig.answer(rig.delete_job(job_id))
    assert isinstance(answer, ConflictError)
    assert str(answer) == f"Job {job_id} is currently running, cannot delete a running job."


def test_a_deletion_is_durable_before_it_is_answered(rig: Rig) -> None:
    rig.hold_saves = True
    request = rig.delete_job("job")
    assert rig.held[-1].changes == (DeleteJob("job", rig.now.wall_ms),)
    assert rig.answer(request) is None
    rig.release_saves()
    assert rig.answer(request) == ef.Done()


def test_a_changed_job_goes_to_the_store_with_what_it_replaces(rig: Rig) -> None:
    rig.hold_saves = True
    rig.tell(ev.JobSaveRequested(rig.request(), JOB, 1))
    assert rig.held[-1].changes == (SaveJob(JOB, 1),)


def test_what_the_store_refuses_is_told(rig: Rig) -> None:
    rig.hold_saves = True
    request = rig.delete_job("job")
    refusal = GoneError("Job job has already been deleted.")
    rig.tell(ev.SaveRefused(rig.held.pop().number, refusal))
    assert rig.answer(request) is refusal
