"""Signals on a real Slurm arrive once, however it tracks processes: counted in applications bare and under hpcprov.

With proctrack/cgroup Slurm signals its direct child alone, with proctrack/linuxproc every process of a step (as cgroup
does in later versions with SignalChildrenProcesses=yes). The launcher has to pass on the former and must not pass on
the latter. Each way of asking sends a signal of its own, so one job tells of all of them.
"""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple

import pytest

from .bed.slurm import until
from .conftest import BedMaker, Site

# Writes down the number of each signal, and 0 when it is ready for them; after the one that asks it to end also what
# comes half a second late.
COUNT = """
import signal, sys
caught = signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD}
signal.pthread_sigmask(signal.SIG_BLOCK, caught)
with open("seen." + sys.argv[1], "w", buffering=1) as log:
    print(0, file=log)
    asked = False
    while (got := signal.sigtimedwait(caught, 0.5 if asked else 600)) is not None:
        print(got.si_signo, file=log)
        asked = asked or got.si_signo == signal.SIGTERM
"""
READY = 0
COUNTING = "python -S -E count.py"
BEDS = {"cgroup": "", "linuxproc": "ProctrackType=proctrack/linuxproc\n"}
WRAPPERS = {"bare": ""} | {how: f"hpcprov exec --hash off --forward {how} --" for how in ("auto", "always", "never")}
# To a step, to a job's steps. Two of one kind at once may be delivered as one, but for real-time signals (34 to 64).
STEP, STEP_QUEUED, STEPS, STEPS_QUEUED = signal.SIGUSR1, 40, signal.SIGUSR2, 41
# What a shell and srun, which get these as well, ignore.
FULL, BATCH = signal.SIGURG, signal.SIGWINCH
SMALL = ("-n1", "--mem=100")
# Slurm looks every 30 s whom to warn of the end of his time, and may do so a minute too early.
WARNED = (*SMALL, "-t1")
JOBS = {
    # One application is a step, one a child of the batch script.
    "asked": (f"srun $W {COUNTING} step &\n$W {COUNTING} child &\ntrap : TERM\nuntil wait; do :; done\n", SMALL),
    "step warned": (f"srun $W {COUNTING} step\n", (*WARNED, "--signal=USR1@50")),
    "script warned": (f"exec $W {COUNTING} script\n", (*WARNED, "--signal=B:USR1@50")),
}


class Counted(NamedTuple):
    """A job whose applications write down their signals."""

    site: Site
    id: str

    def seen(self) -> dict[str, Counter[int]]:
        """Application -> how often it got which signal, and READY once."""
        files = self.site.cwd.glob("seen.*")
        return {file.suffix[1:]: Counter(int(word) for word in file.read_text().split()) for file in files}

    def wait(self, number: int, *applications: str) -> None:
        """Until these applications have had the signal."""
        until(
            lambda: all(self.seen().get(name, Counter())[number] for name in applications),
            lambda: f"signal {number}: {self.seen()}\n{self.site.slurm.about(self.id)}",
        )

    def scancel(self, *words: str) -> None:
        self.site.slurm.run(["scancel", *words])

    def ask(self, *, step_hears: bool) -> None:
        """Send each signal in its way, then ask to end. `step_hears`: whether signals reach the step's application."""
        self.wait(READY, "step", "child")
        for number in (STEP, STEP_QUEUED):
            self.scancel(f"--signal={number:d}", f"{self.id}.0")
        for number in (STEPS, STEPS_QUEUED):
            self.scancel(f"--signal={number:d}", self.id)
        self.scancel("--full", f"--signal={FULL:d}", self.id)
        self.scancel("--batch", f"--signal={BATCH:d}", self.id)
        for number in (STEP, STEP_QUEUED, STEPS, STEPS_QUEUED) if step_hears else ():
            self.wait(number, "step")
        self.wait(FULL, "child")
        self.scancel(self.id)

    def ended(self) -> dict[str, Counter[int]]:
        """What the applications had got when the job was over."""
        self.site.slurm.wait(self.id)
        return self.seen()

    def record(self) -> dict[str, Any]:
        """The record of the step."""
        run = f"slurm-{self.site.slurm.cluster}-{self.id}.0.0"
        self.site.run(self.site.hpcprov, "settle", run)
        return self.site.record(run)


Jobs = Mapping[tuple[str, str], Counted]


@pytest.fixture(scope="module")
def beds(slurm_bed: BedMaker, installed: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Jobs]:
    """On each bed all jobs, bare and wrapped: (job, wrapper) -> what was submitted."""
    found: dict[str, Jobs] = {}
    for name, settings in BEDS.items():
        slurm, jobs = slurm_bed(settings), {}
        for job, (script, options) in JOBS.items():
            for wrapper, words in WRAPPERS.items():
                if job == "asked" or wrapper in ("bare", "auto"):
                    site = Site(slurm, installed, tmp_path_factory.mktemp("job"))
                    (site.cwd / "count.py").write_text(COUNT)
                    jobs[job, wrapper] = Counted(site, site.submit(script, *options, env={"W": words}))
        found[name] = jobs
    return found


@pytest.fixture(scope="module")
def asked(beds: Mapping[str, Jobs]) -> Mapping[str, Jobs]:
    """The same when all signals have been sent; the jobs end at once, or by SIGKILL a while later."""
    for name, jobs in beds.items():
        for wrapper in WRAPPERS:
            jobs["asked", wrapper].ask(step_hears=(name, wrapper) != ("cgroup", "never"))
    return beds


@pytest.mark.parametrize("bed", BEDS)
def test_signals_arrive_as_without(asked: Mapping[str, Jobs], bed: str) -> None:
    bare, wrapped = (asked[bed]["asked", wrapper].ended() for wrapper in ("bare", "auto"))
    assert wrapped == bare
    once = (STEP, STEP_QUEUED, STEPS, STEPS_QUEUED, signal.SIGTERM)
    assert [bare["step"][number] for number in once] == [1] * len(once)
    assert bare["child"][FULL] == 1


@pytest.mark.parametrize("bed", BEDS)
def test_the_record_tells_which_signals_were_passed_on(asked: Mapping[str, Jobs], bed: str) -> None:
    job = asked[bed]["asked", "auto"]
    job.ended()
    record = job.record()
    passed_on = {told["signal"]: told["forwarded"] for told in record["signals"]}
    assert {passed_on[number] for number in (STEP, STEP_QUEUED, STEPS, STEPS_QUEUED)} == {bed == "cgroup"}
    assert record["run"]["status"] == "completed", "the application ended with status 0 when it was asked to"


@pytest.mark.parametrize(("bed", "always", "never"), [("cgroup", 1, 0), ("linuxproc", 2, 1)])
def test_what_forwarding_always_and_never_do(asked: Mapping[str, Jobs], bed: str, always: int, never: int) -> None:
    """Neither is right everywhere: that is why `auto` is the default."""
    for wrapper, times in (("always", always), ("never", never)):
        seen = asked[bed]["asked", wrapper].ended()["step"]
        assert (seen[STEP_QUEUED], seen[STEPS_QUEUED]) == (times, times), wrapper


@pytest.mark.parametrize("bed", BEDS)
@pytest.mark.parametrize("job", ["step warned", "script warned"])
def test_warnings_before_the_time_limit_arrive_as_without(beds: Mapping[str, Jobs], bed: str, job: str) -> None:
    application = job.split()[0]
    both = [beds[bed][job, wrapper] for wrapper in ("bare", "auto")]
    for one in both:
        one.wait(signal.SIGUSR1, application)
        one.scancel(one.id)
    bare, wrapped = (one.ended() for one in both)
    assert wrapped == bare
    assert bare[application][signal.SIGUSR1] == 1
