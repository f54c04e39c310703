"""Would the harness see it, if a page did what no page of ours may?"""

from __future__ import annotations

from pathlib import Path

import pytest

from report.browser import Chromium

POLICY = "<meta http-equiv='Content-Security-Policy' content=\"default-src 'none'\">"
HEAD = f"<!doctype html><html lang=en><head><meta charset=utf-8>{POLICY}<title>x</title></head><body>"


@pytest.mark.parametrize(
    "page",
    [
        "<!doctype html><script>window.__pwned = 1</script>",
        "<!doctype html><script>alert(1)</script>",
        "<!doctype html><script>throw Error('no')</script>",
        "<!doctype html><img src='http://127.0.0.1:9/x.png'>",
        f"{HEAD}<script>1</script>",
        f"{HEAD}<p style='color: red'>x</p>",
    ],
)
def test_it_hears_what_a_page_does(chromium: Chromium, tmp_path: Path, page: str) -> None:
    (tmp_path / "x.html").write_text(page)
    with chromium.look(tmp_path / "x.html") as look:
        pass
    with pytest.raises(AssertionError):
        look.quiet()


def test_a_good_page_passes_and_a_bad_one_does_not(chromium: Chromium, tmp_path: Path) -> None:
    good, bad = tmp_path / "good.html", tmp_path / "bad.html"
    good.write_text(f"{HEAD}<main><h1>Runs</h1><p>None.</p></main></body></html>")
    bad.write_text(f"{HEAD}<main><h1>Runs</h1><font color='#ddd'>pale</font><input></main></body></html>")
    with chromium.look(good, width=390) as look:
        assert look.fits()
    look.quiet()
    assert chromium.accessible(good) == []
    assert any("color-contrast" in found for found in chromium.accessible(bad))
    assert chromium.print(good, tmp_path / "good.pdf") == 1
