"""Jobs and workflows: told of by their parts, in any order, at any time; each record names the other."""

from __future__ import annotations

import itertools
import os
from pathlib import Path
from typing import Any

import pytest
from record_check import check_folded, read_record

from hpcprov.merge.find import find_record, run_ids
from hpcprov.merge.fold import fold
from hpcprov.merge.publish import merge_run, refresh
from hpcprov.merge.settle import settle_run, settle_stale, witnessed
from hpcprov.record import layout
from hpcprov.record.canonical import canonical
from hpcprov.record.errors import StillRunning
from hpcprov.record.job import Answer, Job
from hpcprov.record.layout import Store

from .build import BEGAN, SECOND, Launch, normal

JOB = "slurm-alps-17"
ENDED = {"job_id": "17", "state": "COMPLETED", "exit_code": "0:0", "job_name": "spin", "start": 1_795_000_000}
STEP = {"SLURM_JOB_ID": "17", "SLURM_CLUSTER_NAME": "alps", "SLURM_STEP_ID": "0"}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    (tmp_path / "runs").mkdir()
    return Store(str(tmp_path))


def part(number: int, at: float = 1, kind: str = "job", **keys: Any) -> Launch:
    """The log that a part's agent writes beside the others of its whole."""
    told = {"node": "n1", "kind": kind, "run": f"{JOB}.{number}.0", "argv": ["./model"], "tags": {}}
    launch = Launch("n1", f"{number}-{number}").add("part", at, **(told | {"began": 1_795_000_000} | keys))
    scheduler = {"name": "slurm", "cluster": "alps", "job_id": "17"}
    return launch.fact("scheduler", scheduler, at) if kind == "job" else launch


def step(*, killed: int | None = None, **env: str) -> Launch:
    launch = Launch(launcher="slurm", boot_id="of another machine").start().env(**(STEP | env)).agent()
    return launch.killed(signal=killed) if killed else launch.exit(code=3)


class Asked:
    """A scheduler that gives one answer, and notes what it was asked."""

    def __init__(self, over: bool | None, *words: tuple[str, dict[str, Any]]) -> None:
        self.answer, self.jobs = Answer(over, "job 17 is RUNNING", list(words)), list[Job]()

    def __call__(self, job: Job) -> Answer:
        self.jobs.append(job)
        return self.answer


def test_a_job_is_made_of_what_its_parts_say() -> None:
    record = fold(normal(part(0), part(1, 2, name="second")), run_id=JOB)
    assert record["run"]["kind"] == "job" and record["ranks"]["count"] == 0
    assert [(one["run"], one["name"]) for one in record["parts"]] == [(f"{JOB}.0.0", None), (f"{JOB}.1.0", "second")]
    assert record["run"]["status"] == "incomplete"
    check_folded(record)


@pytest.mark.parametrize("over", [False, True])
def test_a_job_began_when_its_parts_say_until_its_scheduler_tells(over: bool) -> None:
    record = check_folded(fold(normal(part(0), part(1, 2, began=1 << 60)), run_id=JOB, over=over))
    assert record["run"]["start"] == "2026-11-18T11:06:40.000000000Z" and record["run"]["end"] is None
    for start, moment in ((1_795_000_001, "2026-11-18T11:06:41.000000000Z"), ("soon", None), (1 << 60, None)):
        said = part(0, began=1 << 60).fact("job", {"start": start}, 2)
        assert fold(normal(said), run_id=JOB, over=over)["run"]["start"] == moment


def test_neither_order_nor_repetition_of_parts_matters() -> None:
    launches = [part(0), part(1, 2), part(0, 3), part(2, 0.5)]
    records = {canonical(fold(normal(*order), run_id=JOB)) for order in itertools.permutations(launches)}
    assert len(records) == 1


def test_a_step_names_its_job_array_and_workflow() -> None:
    env = STEP | {"SLURM_ARRAY_JOB_ID": "15", "SLURM_RESTART_COUNT": "2", "HPCPROV_WORKFLOW": "w1"}
    run = check_folded(fold(normal(Launch().start().env(**env).exit()), run_id="x"))["run"]
    assert run["part_of"] == {"job": "slurm-alps-17-r2", "array": "slurm-alps-15", "workflow": "w1"}
    assert (run["kind"], run["previous"]) == ("command", None)


def test_a_requeued_job_names_its_earlier_start() -> None:
    scheduler = {"name": "slurm", "cluster": "alps", "job_id": "17", "restart_count": 2}
    run = fold(normal(part(0).fact("scheduler", scheduler, 2)), run_id=f"{JOB}-r2")["run"]
    assert run["previous"] == f"{JOB}-r1" and run["part_of"] == {"job": None, "array": None, "workflow": None}


@pytest.mark.parametrize(
    "env",
    [
        {"SLURM_JOB_ID": "../../x", "SLURM_CLUSTER_NAME": "a/b"},
        {"SLURM_RESTART_COUNT": "-1"},
        {"SLURM_JOB_ID": "9" * 900},
    ],
)
def test_what_an_environment_claims_is_only_a_name(env: dict[str, str]) -> None:
    run = check_folded(fold(normal(Launch().start().env(**(STEP | env)).exit()), run_id="x"))["run"]
    assert layout.is_run_id(run["part_of"]["job"])


def test_a_workflow_is_its_own_process_and_its_parts() -> None:
    main = Launch("login", "7-7").start(kind="workflow").exit(code=1)
    record = check_folded(fold(normal(main, part(0, kind="workflow", began=None)), run_id="w1"))
    assert (record["run"]["kind"], record["run"]["status"], len(record["parts"])) == ("workflow", "failed", 1)


def test_parts_that_begin_days_apart_are_one_job(store: Store) -> None:
    for number in range(3):
        part(number, at=number * 86_400).write(store.run(JOB))
    assert settle_run(store, JOB, Asked(True, ("sacct", ENDED))) == [find_record(store, JOB)]
    record = read_record(find_record(store, JOB) or "")
    assert len(record["parts"]) == 3 and record["run"]["status"] == "completed"
    assert record["run"]["name"] == "spin" and record["run"]["start"].startswith("2026-11-18T")


def test_an_id_that_comes_round_again_is_another_job(store: Store) -> None:
    part(0).write(store.run(JOB))
    part(1, at=2, began=1_795_900_000).write(store.run(JOB))
    places = settle_run(store, JOB, Asked(True, ("sacct", ENDED)))
    assert sorted(os.path.basename(place) for place in places) == [JOB, f"{JOB}~2"]


def test_a_part_that_speaks_when_the_job_has_its_record_makes_a_new_revision(store: Store) -> None:
    part(0).write(store.run(JOB))
    settle_run(store, JOB, Asked(True, ("sacct", ENDED)))
    part(1, at=3).write(store.run(JOB))
    settle_run(store, JOB, Asked(True, ("sacct", ENDED)))
    record = refresh(store, find_record(store, JOB) or "")
    assert (record["revision"], len(record["parts"]), record["run"]["status"]) == (2, 2, "completed")
    assert run_ids(store) == []


def test_a_running_job_is_left_alone_and_one_that_nobody_answers_for_too(store: Store) -> None:
    part(0).write(store.run(JOB))
    with pytest.raises(StillRunning, match="job 17 is RUNNING"):
        settle_run(store, JOB, Asked(False))
    for ask in (None, Asked(None)):
        with pytest.raises(StillRunning):
            settle_run(store, JOB, ask)
    assert run_ids(store) == [JOB]


def test_the_scheduler_is_asked_for_the_very_start_and_step(store: Store) -> None:
    step(SLURM_RESTART_COUNT="1", SLURM_JOB_START_TIME="1795000000").write(store.run("x"))
    part(0, began=1_795_000_000).write(store.run(f"{JOB}-r1"))
    asked = Asked(None)
    settle_stale(store, asked)
    assert sorted(asked.jobs, key=str) == [
        Job("alps", "17", 1, 1_795_000_000, "0"),
        Job("alps", "17", 1, 1_795_000_000, None),
    ]


def test_a_step_that_lives_by_all_other_signs_is_over_when_its_scheduler_says_so(store: Store) -> None:
    Launch(launcher="slurm", boot_id="of another machine").start().env(**STEP).agent().write(store.run("x"))
    with pytest.raises(StillRunning, match="0 s ago"):
        settle_run(store, "x")
    timeout = {"job_id": "17", "state": "TIMEOUT", "exit_code": "0:0", "steps": [{"id": "17.0", "state": "CANCELLED"}]}
    settle_run(store, "x", Asked(True, ("sacct", timeout)))
    record = read_record(find_record(store, "x") or "")
    assert record["run"]["status"] == "timed out" and "sacct: TIMEOUT" in record["run"]["cause"]["text"]


def test_what_lives_here_lives_whatever_a_scheduler_says(store: Store) -> None:
    ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
    Launch("n1", "200-2").start(pid=os.getpid(), ticks=ticks).env(**STEP).write(store.run("x"))
    with pytest.raises(StillRunning, match=f"process {os.getpid()}"):
        settle_run(store, "x", Asked(True, ("sacct", ENDED)))


def test_a_finished_record_gets_its_witness_once(store: Store) -> None:
    step(killed=9).write(store.run("x"))
    (place,) = merge_run(store, "x")
    out_of_memory = {
        "state": "OUT_OF_MEMORY",
        "exit_code": "0:125",
        "steps": [{"id": "17.0", "state": "OUT_OF_MEMORY"}],
    }
    asked = Asked(True, ("sacct", out_of_memory))
    record = witnessed(store, place, read_record(place), asked)
    assert (record["run"]["status"], record["revision"]) == ("out of memory", 2)
    assert read_record(place) == record == witnessed(store, place, record, asked)
    assert len(asked.jobs) == 1


@pytest.mark.parametrize("over", [False, None])
def test_no_word_before_the_job_is_over(store: Store, over: bool | None) -> None:
    step(killed=15).write(store.run("x"))
    (place,) = merge_run(store, "x")
    before = read_record(place)
    assert witnessed(store, place, before, Asked(over, ("sacct", {"state": "RUNNING"}))) == before


WITNESSED = [
    # the rank's end, the job's state, the step's, what the run is then
    (15, "TIMEOUT", "CANCELLED", "timed out"),
    (15, "CANCELLED", "CANCELLED", "cancelled"),
    (9, "OUT_OF_MEMORY", "OUT_OF_MEMORY", "out of memory"),
    (15, "PREEMPTED", "CANCELLED", "preempted"),
    (15, "NODE_FAIL", "CANCELLED", "node lost"),
    (9, "COMPLETED", "CANCELLED", "signalled"),
    (9, "FAILED", "FAILED", "signalled"),
    (None, "FAILED", "FAILED", "failed"),
    (None, "TIMEOUT", "FAILED", "failed"),
    (None, "CANCELLED", "CANCELLED", "failed"),
    (None, "FAILED", "OUT_OF_MEMORY", "out of memory"),
    (9, "REQUEUED", "RUNNING", "signalled"),
    (15, "REQUEUED", "CANCELLED", "cancelled"),
    (None, "REQUEUED", "FAILED", "failed"),
]


@pytest.mark.parametrize(("signal", "job", "one", "word"), WITNESSED)
def test_status_with_a_witness(signal: int | None, job: str, one: str, word: str) -> None:
    value = {
        "state": job,
        "exit_code": "0:9",
        "steps": [{"id": "17.extern", "state": "COMPLETED"}, {"id": "17.0", "state": one}],
    }
    launch = step(killed=signal).add("witness", 99, source="sacct", value=value)
    assert check_folded(fold(normal(launch), run_id="x"))["run"]["status"] == word


@pytest.mark.parametrize(
    ("run_id", "before"),
    [(JOB, None), (f"{JOB}-r1", JOB), (f"{JOB}-r10", f"{JOB}-r9"), (f"{JOB}-r2~2", f"{JOB}-r1"), (f"{JOB}-r0", None)],
)
def test_the_start_before_is_known_from_the_id_alone(run_id: str, before: str | None) -> None:
    """A job may be cancelled before the agent of its first step has told what the scheduler says."""
    run = check_folded(fold(normal(part(0)), run_id=run_id))["run"]
    assert (run["kind"], run["previous"]) == ("job", before)


# How ranks that vanished with their launchers, or crashed, are told with a witness of their step.
ABORTED: list[tuple[str, str, bool, str]] = [
    # the job's state, the step's, did the step start as MPI, what the run is then
    ("FAILED", "CANCELLED", True, "failed"),
    ("FAILED", "CANCELLED", False, "cancelled"),
    ("CANCELLED", "CANCELLED", True, "cancelled"),
    ("TIMEOUT", "CANCELLED", True, "timed out"),
    ("FAILED", "FAILED", True, "failed"),
    ("RUNNING", "CANCELLED", True, "failed"),
]


@pytest.mark.parametrize(("job", "one", "mpi", "word"), ABORTED)
def test_ranks_that_are_killed_with_their_launchers(job: str, one: str, mpi: bool, word: str) -> None:
    """MPI_Abort has Slurm kill the step at once, as `scancel` of a step does."""
    value = {"state": job, "steps": [{"id": "17.0", "state": one, "by": "1000"}]}
    launch = Launch().start().env(**STEP, **({"PMI_RANK": "0"} if mpi else {}))
    run = fold(normal(launch.add("witness", 99, source="sacct", value=value)), run_id="x")["run"]
    assert run["status"] == word and ("MPI_Abort" in run["cause"]["text"]) == (
        mpi and job in ("FAILED", "RUNNING") and one == "CANCELLED"
    )


@pytest.mark.parametrize("job", ["CANCELLED", "FAILED"])
def test_a_crash_stands_whatever_became_of_the_step(job: str) -> None:
    value = {"state": job, "steps": [{"id": "17.0", "state": "CANCELLED"}]}
    run = fold(normal(step(killed=11).add("witness", 99, source="sacct", value=value)), run_id="x")["run"]
    assert run["status"] == "signalled"


@pytest.mark.parametrize(("code", "word"), [("0:9", "signalled"), ("3:0", "failed"), (None, "failed")])
def test_a_step_that_nobody_cancelled(code: str | None, word: str) -> None:
    """Slurm's accounting calls a step CANCELLED when a signal ended it; when somebody did, it names the user."""
    value = {"state": "FAILED", "steps": [{"id": "17.0", "state": "CANCELLED" if word == "signalled" else "FAILED"}]}
    value["steps"][0] |= {} if code is None else {"exit_code": code}
    launch = Launch().start().env(**STEP).add("witness", 99, source="sacct", value=value)
    assert check_folded(fold(normal(launch), run_id="x"))["run"]["status"] == word


def test_a_step_that_completed_has_completed() -> None:
    launch = Launch().start().env(**STEP).exit().add("witness", 99, source="sacct", value={"state": "TIMEOUT"})
    run = fold(normal(launch), run_id="x")["run"]
    assert (run["status"], run["cause"]) == ("completed", None)


def test_a_step_of_its_own_long_before_the_job_ended() -> None:
    """Cancelled by itself, an hour before the job's time was over."""
    steps = [{"id": "17.0", "state": "CANCELLED", "by": "1000", "end": 1_795_000_010}]
    value = {"state": "TIMEOUT", "end": 1_795_003_600, "steps": steps}
    run = fold(normal(step(killed=15).add("witness", 99, source="sacct", value=value)), run_id="x")["run"]
    assert run["status"] == "cancelled" and run["cause"]["witness"]["by"] == "1000"


def test_memory_that_was_not_enough_is_known_without_a_scheduler() -> None:
    run = check_folded(fold(normal(Launch().start().killed(signal=9)), run_id="x"))["run"]
    assert run["status"] == "signalled"
    run = check_folded(fold(normal(Launch().start().exit(code=None, signal=9, oom_kills=1)), run_id="x"))["run"]
    assert run["status"] == "out of memory" and "for want of memory" in run["cause"]["text"]
    run = check_folded(fold(normal(Launch().start().exit(code=1, oom_kills=2)), run_id="x"))["run"]
    assert run["status"] == "failed" and "killed 2 processes" in run["cause"]["text"]


HOSTILE: list[dict[str, Any]] = [
    {},
    {"state": ["TIMEOUT"]},
    {"state": "TIMEOUT", "exit_code": 5, "by": {}},
    {"state": "TIMEOUT", "steps": "17.0"},
    {"state": "TIMEOUT", "steps": [None, 3, {"id": None}, {"id": "17.0", "state": {}, "end": "x"}]},
    {"state": "TIMEOUT", "start": -1, "end": 1 << 62, "job_name": 7},
]


@pytest.mark.parametrize("value", HOSTILE)
def test_words_of_any_shape(value: dict[str, Any]) -> None:
    for launch in (step(killed=9), part(0)):
        check_folded(fold(normal(launch.add("witness", 99, source="sacct", value=value)), run_id=JOB))


def test_a_kill_between_witness_and_merge_loses_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    part(0).write(store.run(JOB))

    def killed(*_: Any, **__: Any) -> list[str]:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("hpcprov.merge.settle.merge_run", killed)
        with pytest.raises(KeyboardInterrupt):
            settle_run(store, JOB, Asked(True, ("sacct", ENDED)))
    settle_run(store, JOB, Asked(True, ("sacct", ENDED)))
    record = read_record(find_record(store, JOB) or "")
    assert record["run"]["status"] == "completed" and len(record["witnesses"]) == 1
    assert BEGAN // SECOND == 1_795_000_000


@pytest.mark.parametrize("kind", ["job", "workflow"])
def test_a_command_that_others_call_their_whole_stays_one(kind: str) -> None:
    """HPCPROV_WORKFLOW is whatever somebody sets it to."""
    alone = fold(normal(step(killed=9)), run_id="x")
    events = normal(step(killed=9), part(0, kind=kind))
    called = fold(events, run_id="x")
    same = ("kind", "name", "status", "cause", "start", "end", "part_of")
    assert {key: called["run"][key] for key in same} == {key: alone["run"][key] for key in same}


@pytest.mark.parametrize("name", ["../../x", "", "a\nb", "\x1b[31m", "x" * 200, "."])
def test_what_no_run_can_be_called_is_no_workflow(name: str) -> None:
    assert fold(normal(step(HPCPROV_WORKFLOW=name)), run_id="x")["run"]["part_of"]["workflow"] is None
