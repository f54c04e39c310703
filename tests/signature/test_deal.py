"""How work is dealt to ranks, and which rank a process is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcprov.signature.deal import deal
from hpcprov.signature.launch import ALONE, LAUNCHERS, Place, place_of

PLACE_C = Path(__file__).parents[2] / "hpcprov/launcher/place.c"


@given(st.lists(st.floats(0, 1e9)), st.integers(1, 20))
def test_every_piece_is_dealt_once_and_nobody_has_much_more(costs: list[float], ranks: int) -> None:
    shares = deal(costs, ranks)
    assert len(shares) == ranks
    assert sorted(at for share in shares for at in share) == list(range(len(costs)))
    loads = [sum(costs[at] for at in share) for share in shares]
    # Graham's bound for any greedy deal: the mean and one piece more.
    assert max(loads) <= (sum(costs) / ranks + max(costs, default=0.0)) * (1 + 1e-9) + 1e-6


def test_one_dear_piece_does_not_make_a_rank_wait_for_cheap_ones() -> None:
    assert deal([1.0] * 6 + [6.0], 2) == [[6], [0, 1, 2, 3, 4, 5]]


def test_the_launchers_are_those_of_the_native_launcher() -> None:
    text = PLACE_C.read_text().partition("launchers[] = {")[2].partition("};")[0]
    rows = [re.findall(r'"([^"]*)"|NULL', row) for row in re.findall(r"\{(.*)\}", text)]
    assert [(row[0], row[1], row[2] or None, row[5] or None) for row in rows] == list(LAUNCHERS)


@pytest.mark.parametrize(
    ("environ", "place"),
    [
        ({}, ALONE),
        ({"PMI_RANK": "2", "PMI_SIZE": "4"}, Place("mpich", 2, 4)),
        ({"PMI_RANK": "2"}, ALONE),
        ({"OMPI_COMM_WORLD_RANK": "1", "OMPI_COMM_WORLD_SIZE": "2", "SLURM_PROCID": "0", "SLURM_STEP_ID": "0"},
         Place("openmpi", 1, 2)),
        ({"SLURM_PROCID": "3", "SLURM_STEP_ID": "0", "SLURM_STEP_NUM_TASKS": "8"}, Place("slurm", 3, 8)),
        ({"SLURM_PROCID": "3", "SLURM_STEP_ID": "0", "SLURM_NTASKS": "8"}, Place("slurm", 3, 8)),
        ({"SLURM_PROCID": "0", "SLURM_NTASKS": "8"}, ALONE),  # the batch script itself
        ({"PMIX_RANK": "1", "PMIX_NAMESPACE": "x"}, Place("pmix", 1, None)),
        ({"PMI_RANK": "-1", "PMI_SIZE": "4"}, ALONE),
        ({"PMI_RANK": "9" * 40, "PMI_SIZE": "4"}, ALONE),
        ({"PMI_RANK": "\u0663", "PMI_SIZE": "4"}, ALONE),
    ],
)  # fmt: skip
def test_places(environ: dict[str, str], place: Place) -> None:
    assert place_of(environ) == place
