"""Which class of files a path belongs to, from names alone: tables, the first match counts (docs/observing.md).

    places = Places(cwd="/home/ada/run", environ={"HOME": "/home/ada"})
    places.find(b"/usr/lib/gcc")                                  -> Place("system")
    places.find(b"/home/ada/venv/lib/python3.12/site-packages/numpy")
                                                  -> Place("software", ("python package", "...", "numpy", None))
    places.find(b"/home/ada/run/out")                             -> None: depends on the file

Files in a place of their own class are only counted. Of the others `class_of` tells once it is known what was done to
them: a log is one that was written, a script one that was not.
"""

from __future__ import annotations

import os

from hpcprov.capture.observed import packages

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    Package = tuple[str, str, str, str | None]

CLASSES = ("system", "software", "configuration", "scratch", "logs", "data", "code")
OWN = "own"

SYSTEM = (
    b"/usr/", b"/lib/", b"/lib32/", b"/lib64/", b"/libx32/", b"/bin/", b"/sbin/", b"/etc/", b"/proc/", b"/sys/",
    b"/dev/", b"/run/", b"/var/", b"/boot/", b"/snap/",
)  # fmt: skip
NOT_SYSTEM = (b"/dev/shm/", b"/var/tmp/", b"/usr/local/")
SOFTWARE = (b"/opt/", b"/usr/local/", b"/nix/store/", b"/gnu/store/", b"/cvmfs/")
TEMPORARY = ("/tmp", "/var/tmp", "/dev/shm")
TEMPORARY_VARIABLES = ("TMPDIR", "TMP", "TEMP", "TEMPDIR", "SLURM_TMPDIR", "PBS_JOBFS", "JOBFS")
# Prefixes of environments that are loaded; EasyBuild names the roots of its modules EBROOT...
PREFIX_VARIABLES = ("VIRTUAL_ENV", "CONDA_PREFIX", "CONDA_ROOT", "MAMBA_ROOT_PREFIX", "SPACK_ROOT", "JULIA_DEPOT_PATH")
PREFIX_STARTS = ("EBROOT",)
# Directories of a working tree that hold what tools keep for themselves, wherever they are.
OF_TOOLS = {
    b".git": "software", b".hg": "software", b".svn": "software", b".snakemake": "software", b".nextflow": "software",
    b".tox": "software", b".nox": "software", b".eggs": "software", b".venv": "software", b"__pycache__": "software",
    b".julia": "software", b".cargo": "software", b".rustup": "software", b".npm": "software",
    b".pytest_cache": "configuration", b".mypy_cache": "configuration", b".ruff_cache": "configuration",
    b".cache": "configuration", b".config": "configuration", b".ipynb_checkpoints": "configuration",
    b".hypothesis": "configuration", b".Rproj.user": "configuration",
}  # fmt: skip
# Directories in a user's home into which software is installed.
OF_HOME = (
    b".local/", b".pyenv/", b".conda/", b".mamba/", b".rbenv/", b".nvm/", b".spack/", b".linuxbrew/", b".cpan/", b".R/",
    b".juliaup/", b".sdkman/", b".nextflow/", b".singularity/", b".apptainer/",
)  # fmt: skip
OWN_STORE = b"/.hpcprov/"
OWN_SPOOL = b"hpcprov-"
# The Python audit's hook: installed, and of an editable installation.
OWN_HOOK = (b"/lib/hpcprov/python/", b"/hpcprov/launcher/python/")
# This package, which no site-packages holds in an editable installation: a program may import it.
OWN_PACKAGE = os.fsencode(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))) + b"/"

DATA = (
    b".npy", b".npz", b".h5", b".hdf5", b".hdf", b".he5", b".h5ad", b".nc", b".nc4", b".cdf", b".zarr", b".zarr.zip",
    b".csv", b".tsv", b".csv.gz", b".parquet", b".feather", b".arrow", b".grib", b".grib2", b".grb", b".grb2",
    b".fits", b".fits.gz", b".mat", b".dat.gz", b".tif", b".tiff", b".geotiff", b".shp", b".vtu", b".vtk", b".bp",
    b".root", b".safetensors", b".pt", b".onnx", b".nii", b".nii.gz", b".bam", b".vcf", b".vcf.gz", b".fastq",
    b".fastq.gz", b".rds", b".rda",
)  # fmt: skip
CODE = (
    b".py", b".pyw", b".r", b".jl", b".sh", b".bash", b".zsh", b".ksh", b".csh", b".tcsh", b".pl", b".pm", b".lua",
    b".m", b".js", b".mjs", b".cjs", b".rb", b".tcl", b".ncl", b".gp", b".plt", b".gnuplot", b".awk", b".smk", b".nf",
    b".wdl", b".cwl",
)  # fmt: skip
CODE_NAMES = frozenset((b"Snakefile", b"Makefile", b"makefile", b"GNUmakefile", b"CMakeLists.txt", b"Rakefile"))
LOGS = (b".log", b".err")
LOG_DIRECTORIES = frozenset((b"log", b"logs"))
LOG_STARTS = (b"slurm-", b"nohup.out")
CONFIGURATION = frozenset(
    (
        b"matplotlibrc", b"pyvenv.cfg", b".condarc", b".netrc", b".gitconfig", b".gitignore", b".gitattributes",
        b".bashrc", b".profile", b".bash_profile", b".inputrc",
    )
)  # fmt: skip
# Files, and directories among temporary ones, by which the launcher of an MPI library tells its ranks of the machine
# and of each other, made before the run: MPICH and Intel MPI; Open MPI, PRRTE, PMIx, Slurm's pmix plugin.
OF_LAUNCHERS = (
    b"hydra_hwloc_xmlfile_", b"ompi.", b"openmpi-sessions-", b"prte.", b"pmix-", b"pmix_dstor_", b"spmix_appdir_",
)  # fmt: skip
MOST_PREFIXES = 200


class Place:
    """What all files of a directory are, whatever is done to them: their class and, of software, the package."""

    __slots__ = ("data", "label", "package")

    def __init__(self, label: str, package: Package | None = None, *, data: bool = False) -> None:
        """`data`: a file whose name says that it is data counts as data here too."""
        self.label, self.package, self.data = label, package, data


class Places:
    """The places of one node's job."""

    def __init__(self, *, cwd: str, environ: Mapping[str, str]) -> None:
        self.cwd = directory(cwd)
        self.home = directory(environ.get("HOME", "/"))
        self.temporary = tuple(
            directory(path)
            for path in [*TEMPORARY, *(environ.get(name, "") for name in TEMPORARY_VARIABLES)]
            if path.startswith("/") and path != "/"
        )
        self.spools = tuple(top + OWN_SPOOL for top in self.temporary)
        # One that lies in the working directory was made for this job.
        self.own_temporary = tuple(top for top in self.temporary if top.startswith(self.cwd) and top != self.cwd)
        # A job that works in /opt/model works with data there; one that works in /usr does not.
        self.work = () if self.cwd in (b"/", *SYSTEM, *SOFTWARE) else (self.cwd,)
        self.prefixes: tuple[bytes, ...] = ()
        for path in named_prefixes(environ):
            self.learn(path)
        self.packages = packages.Names(environ)

    def learn(self, prefix: bytes) -> None:
        """Take a directory as one where software is installed, unless the job works in it."""
        known = prefix in self.prefixes or len(self.prefixes) >= MOST_PREFIXES
        if not known and prefix not in (b"/", b"/home/", self.home) and not self.cwd.startswith(prefix):
            self.prefixes += (prefix,)

    def find(self, folder: bytes) -> Place | None:
        """The place that an absolute directory is; None where it depends on the file."""
        path = folder + b"/"
        if self.is_own(path):
            return Place(OWN)
        system = path.startswith(SYSTEM) and not path.startswith(NOT_SYSTEM + self.work)
        package = self.packages.of_library(path) or _own_package(path)
        if package:
            if prefix := packages.installation(path):
                self.learn(prefix)
            return Place("software", package, data=not system)
        if path.startswith(self.prefixes):
            return Place("software", self.packages.of_prefix(path, self.prefixes), data=not system)
        if self.is_temporary(path):
            return None
        if system:
            return Place("system")
        if path.startswith(SOFTWARE) and not path.startswith(self.work):
            return Place("software", self.packages.of_prefix(path, self.prefixes), data=True)
        return self.of_tools(path) or self.of_home(path)

    def is_own(self, path: bytes) -> bool:
        """Whether hpcprov keeps its own files there."""
        return path.startswith(self.spools) or OWN_STORE in path or OWN_HOOK[0] in path or OWN_HOOK[1] in path

    def of_tools(self, path: bytes) -> Place | None:
        """A directory that a tool keeps for itself, such as .git."""
        if b"/." not in path and b"/__pycache__/" not in path:
            return None
        start = len(self.cwd) if path.startswith(self.cwd) else 1
        found = next((OF_TOOLS[name] for name in path[start:].split(b"/") if name in OF_TOOLS), None)
        return Place(found, data=found == "configuration") if found else None

    def of_home(self, path: bytes) -> Place | None:
        """A directory of settings or of software in the user's home."""
        hidden = self.home + b"."
        if len(self.home) < 2 or not path.startswith(hidden):
            return None
        if self.cwd.startswith(hidden) and path.startswith(self.cwd):  # the job works there
            return None
        label = "software" if path.startswith(OF_HOME, len(self.home)) else "configuration"
        return Place(label, data=True)

    def is_temporary(self, path: bytes) -> bool:
        """Whether a path lies in a temporary directory, the job's working directory left out."""
        if path.startswith(self.cwd):
            return path.startswith(self.own_temporary)
        return path.startswith(self.temporary)

    def may_be_store(self, path: bytes) -> bool:
        """Whether a directory can be a store: not one that the job works in, nor one of all temporary files."""
        return path != b"/" and not any(top.startswith(path) for top in (self.cwd, self.home, *self.temporary))

    def is_settings(self, folder: bytes, name: bytes) -> bool:
        """Whether a file that was only read holds settings."""
        if self.is_temporary(folder + b"/") and self.is_of_launcher(folder + b"/" + name):
            return True
        return name in CONFIGURATION or (name.startswith(b".") and folder + b"/" == self.home)

    def is_of_launcher(self, path: bytes) -> bool:
        """Whether a path that lies in a temporary directory has a name there that an MPI library's launcher gives."""
        tops = [top for top in self.temporary if path.startswith(top)]
        return any(name.startswith(OF_LAUNCHERS) for top in tops for name in path[len(top) :].split(b"/"))


def directory(path: str) -> bytes:
    """A directory's path with one slash at its end; `/` for none."""
    return path.encode("utf-8", "surrogateescape").rstrip(b"/") + b"/"


def _own_package(path: bytes) -> Package | None:
    if not path.startswith(OWN_PACKAGE):
        return None
    above, name = os.path.split(os.fsdecode(OWN_PACKAGE.rstrip(b"/")))
    return "python package", above, name, None


def named_prefixes(environ: Mapping[str, str]) -> Iterable[bytes]:
    """Where the environment says that software is installed."""
    for name in sorted(environ):
        if name in PREFIX_VARIABLES or name.startswith(PREFIX_STARTS):
            yield from (directory(path) for path in environ[name].split(":") if path.startswith("/"))


def is_data_name(name: bytes) -> bool:
    """Whether a file's name alone says that it is data."""
    return name.lower().endswith(DATA)


def is_code_name(name: bytes) -> bool:
    """Whether a file's name says that an interpreter or a build tool reads it as a program."""
    return name.lower().endswith(CODE) or name in CODE_NAMES


def is_library_name(name: bytes) -> bool:
    """`libm.so`, `libhdf5.so.310`, compiled modules."""
    return name.endswith((b".so", b".pyc", b".pyo", b".pth")) or b".so." in name


def is_log_name(folder: bytes, name: bytes) -> bool:
    """Whether a file that was written is a log by its name or its directory's."""
    return name.endswith(LOGS) or name.startswith(LOG_STARTS) or folder.rpartition(b"/")[2] in LOG_DIRECTORIES
