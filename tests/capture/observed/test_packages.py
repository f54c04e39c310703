"""Software by package: what directories tell."""

from __future__ import annotations

import pytest

from tests.capture.observed.records import ENVIRON, READ, Disk, access, observed

SITE = "/venv/lib/python3.12/site-packages"
TEXTS = {
    f"{SITE}/numpy/__init__.py": "",
    f"{SITE}/numpy-2.1.0.dist-info/METADATA": "",
    f"{SITE}/scikit_learn-1.5.0.dist-info/RECORD": "sklearn/__init__.py,sha256=x,1\nsklearn/base.py,,\n",
    f"{SITE}/six-1.16.0.dist-info/METADATA": "",
    f"{SITE}/six.py": "",
    f"{SITE}/old-0.3-py3.12.egg-info/PKG-INFO": "",
    f"{SITE}/broken.dist-info/RECORD": "broken/x.py,,\n",
}
SPACK = "/opt/spack/opt/spack/linux-debian12-zen3/gcc-12.2.0/netcdf-c-4.9.2-abcdefghijklmnopqrstuvwxyz234567"

PACKAGES = [
    (f"{SITE}/numpy/core/x.pyc", ("python package", SITE, "numpy", "2.1.0")),
    (f"{SITE}/numpy.libs/libopenblas.so", ("python package", SITE, "numpy", "2.1.0")),
    (f"{SITE}/sklearn/base.pyc", ("python package", SITE, "scikit_learn", "1.5.0")),
    (f"{SITE}/old/x.py", ("python package", SITE, "old", "0.3")),
    (f"{SITE}/unknown/x.py", ("python package", SITE, "unknown", None)),
    (f"{SITE}/broken/x.py", ("python package", SITE, "broken", None)),
    ("/venv/lib/python3.12/json/decoder.py", ("python", "/venv", "python", "3.12")),
    ("/usr/lib/R/library/stats/R/stats.rdb", ("R package", "/usr/lib/R/library", "stats", None)),
    ("/home/ada/R/x86_64-pc-linux-gnu-library/4.3/dplyr/x",
     ("R package", "/home/ada/R/x86_64-pc-linux-gnu-library/4.3", "dplyr", None)),
    ("/a/node_modules/@scope/pkg/i.js", ("node package", "/a/node_modules", "@scope/pkg", None)),
    ("/home/ada/.julia/packages/Plots/aB1/x.jl", ("julia package", "/home/ada/.julia/packages", "Plots", None)),
    (f"{SPACK}/lib/x", ("spack", SPACK, "netcdf-c", "4.9.2")),
    ("/cvmfs/soft/software/HDF5/1.14.0-gompi-2023a/lib/x",
     ("easybuild", "/cvmfs/soft/software/HDF5/1.14.0-gompi-2023a", "HDF5", "1.14.0-gompi-2023a")),
    ("/nix/store/0c6kzph7l0dcbfmjap64f0czdafn3b7x-hdf5-1.14.3/lib/x",
     ("nix", "/nix/store/0c6kzph7l0dcbfmjap64f0czdafn3b7x-hdf5-1.14.3", "hdf5", "1.14.3")),
    ("/gnu/store/0c6kzph7l0dcbfmjap64f0czdafn3b7x-profile/x",
     ("guix", "/gnu/store/0c6kzph7l0dcbfmjap64f0czdafn3b7x-profile", "profile", None)),
    ("/opt/sw/hdf5/1.14.3/lib/x", ("module", "/opt/sw/hdf5/1.14.3", "hdf5", "1.14.3")),
    ("/opt/intel/mkl/lib/x", ("directory", "/opt/intel", "intel", None)),
    ("/usr/local/lib/x", ("directory", "/usr/local/lib", "lib", None)),
    ("/apps/fftw/lib/x", ("directory", "/apps/fftw", "fftw", None)),
]  # fmt: skip


@pytest.mark.parametrize(("path", "package"), PACKAGES)
def test_a_package(path: str, package: tuple[str, str, str, str | None]) -> None:
    environ = ENVIRON | {"LOADEDMODULES": "gcc/12:hdf5/1.14.3:plain", "EBROOTFFTW": "/apps/fftw"}
    seen = observed(
        access(path.encode(), READ), access(path.encode() + b"2", READ), environ=environ, disk=Disk(texts=TEXTS)
    )
    keys = ("kind", "prefix", "name", "version")
    assert [tuple(row[key] for key in keys) for row in seen.observation()["software"]] == [package]
    assert seen.observation()["software"][0]["files"] == 2


@pytest.mark.parametrize(
    "path", [f"{SITE}/six.py", f"{SITE}/numpy-2.1.0.dist-info/METADATA", "/usr/lib/x.so", "/usr/share/x"]
)
def test_what_belongs_to_no_package(path: str) -> None:
    assert observed(access(path.encode(), READ), disk=Disk(texts=TEXTS)).observation()["software"] == []
