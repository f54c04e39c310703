"""The page of a diff in the system's own Chromium; pictures without a library."""

from __future__ import annotations

import base64
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest

from hpcprov.data.interface import Dataset
from hpcprov.data.opened import array_field
from hpcprov.quality.diff.datasets import diff
from hpcprov.quality.diff.files import diff_files
from hpcprov.quality.diff.options import Options
from hpcprov.report.diff import COLOURS, page, short, unpacked
from hpcprov.report.png import png
from report.browser import Chromium


def test_a_picture_can_be_decoded() -> None:
    made = png(3, 2, bytes([0, 1, 2, 2, 1, 0]), COLOURS)
    assert made[:8] == b"\x89PNG\r\n\x1a\n"
    at, parts = 8, {}
    while at < len(made):
        (length,) = struct.unpack(">I", made[at : at + 4])
        name, data = made[at + 4 : at + 8], made[at + 8 : at + 8 + length]
        assert struct.unpack(">I", made[at + 8 + length : at + 12 + length])[0] == zlib.crc32(name + data)
        parts[name], at = data, at + 12 + length
    assert struct.unpack(">II", parts[b"IHDR"][:8]) == (3, 2)
    assert zlib.decompress(parts[b"IDAT"]) == bytes([0, 0, 1, 2, 0, 2, 1, 0])
    with pytest.raises(ValueError, match="do not fit"):
        png(2, 2, b"\0", COLOURS)


def test_maps_that_are_none_are_not_drawn() -> None:
    packed = base64.b64encode(zlib.compress(bytes([0, 10, 3]))).decode()
    assert unpacked(packed, 3) == bytes([0, 10, 3])
    bomb = base64.b64encode(zlib.compress(bytes(10_000_000))).decode()
    for wrong in (packed[:-8], "%%%%", bomb, base64.b64encode(zlib.compress(bytes([0, 11, 3]))).decode(), ""):
        assert unpacked(wrong, 3) is None


def test_bounds_are_short() -> None:
    assert [short(bound) for bound in (0.5, 0.013, 1.3e-4, 120.0, 2e8)] == ["0.5", "0.013", "1.3e-4", "120", "2.0e8"]


def test_units_in_the_last_place_are_left_out_where_only_nan_differs() -> None:
    facts = diff(*(Dataset("numpy", (array_field(np.array([1.0, last]), b"u"),)) for last in (2.0, np.nan)), Options())
    found = facts | {"paths": ["a", "b"], "format": ["npy", "npy"], "known": ["cached", "full"], "structure": []}
    text = page(found | {"bytes": None, "preserved": None}, [], {}, "none")
    assert '<td class="number"></td></tr>' in text and ">0</td></tr>" not in text
    assert "npy, signature known" in text and "npy, signed now" in text


def test_the_page_is_quiet_fits_and_is_accessible(chromium: Chromium, tmp_path: Path) -> None:
    one = np.random.default_rng(1).random((5, 60, 120))
    other = one.copy()
    other[2, 10:30, 40:90] += np.linspace(1e-6, 1, 20)[:, None]
    other[4, 0, 0] = np.nan
    noise = np.random.default_rng(2).random((256, 384))
    np.savez(
        tmp_path / "a.npz", field=one, line=np.arange(50.0), noise=noise, word=np.array(["a", "b"]), gone=np.arange(3)
    )
    np.savez(tmp_path / "b.npz", field=other, line=np.arange(50.0) + 1, noise=noise**2, word=np.array(["a", "<b>"]))
    found = diff_files(str(tmp_path / "a.npz"), str(tmp_path / "b.npz"), Options(picture=True))
    text = page(found, ["field@units: K -> degC"], {"field": ["NaN: 1 appeared, 0 vanished"]}, "none")
    assert "<figcaption>axis 0 = 2: 1,000 differ</figcaption>" in text
    assert "Differences along axis 0 = 0–4; at most" in text
    path = tmp_path / "diff.html"
    path.write_text(text)
    for width, dark in ((1280, False), (390, True)):
        with chromium.look(path, width=width, dark=dark) as look:
            assert look.fits()
            loaded = "[...document.images].every((image) => image.complete && image.naturalWidth > 0)"
            assert look.page.evaluate("document.images.length") == 6 and look.page.evaluate(loaded)
        look.quiet()
    assert chromium.accessible(path) == [] and chromium.accessible(path, dark=True) == []
