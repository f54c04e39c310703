"""`hpcprov why` on runs in two versions of an image."""

from __future__ import annotations

import shutil

import pytest

from tests.agent.conftest import Site
from tests.agent.conftest import site as site
from tests.require import require

pytestmark = pytest.mark.cluster

NUMBER = """
#include <stdio.h>
int main(void) {
    int digit = getc(fopen("/etc/number", "r"));
    FILE *file = fopen("out.dat", "w");
    putc(digit, file);
    return fclose(file);
}
"""


def test_an_image_is_named_in_one_line(site: Site, apptainer: str) -> None:
    require("cc", shutil.which("cc"))
    sandbox, image = site.cwd.parent / "sandbox", site.cwd.parent / "model.sif"
    for inner in ("bin", "etc", "proc", "sys", "dev", "tmp"):
        (sandbox / inner).mkdir(parents=True)
    (site.cwd / "number.c").write_text(NUMBER)
    site.call("cc", "-static", "-o", sandbox / "bin/number", "number.c")
    runs = []
    for number in (1, 2):
        (sandbox / "etc/number").write_text(str(number))
        site.call(apptainer, "build", "--force", image, sandbox)
        inside = ["apptainer", "exec", "--no-privs", "--pwd", site.cwd, "--bind", site.cwd, image]
        runs.append(site.run("--output", "out.dat", "--", *inside, "/bin/number")["run"]["id"])
    output = site.call(site.launcher, "why", *runs, check=1).stdout
    (cause,) = [line.split(None, 1)[1] for line in output.splitlines() if line[:3].strip().isdigit()]
    assert cause.startswith("image model.sif sha256:") and " -> sha256:" in cause and "out.dat: changed" in output
    refused = site.call(site.launcher, "rerun", runs[0], check=2).stdout
    assert f"image {image} was sha256:" in refused and "nothing was run" in refused
    assert "reproduced bit for bit" in site.call(site.launcher, "rerun", runs[1]).stdout
