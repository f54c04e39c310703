"""docs/data.md: the data side shown on ten transactions, on a 3-D field of an MPI program, and on the iris pipeline.

    python -m workflows.transactions.page TERRAIN.npz > docs/data.md        # make questions

Each command is run when the page is made; the directory is called /scratch/ada/data.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from workflows.asking import Page, Question, model, printed

HERE = Path(__file__).parent
HOME = "/scratch/ada/data"

INTRODUCTION = """# What is in a dataset, what should be, and what changed

A signature says that data is the same. What is on this page says what the data is, whether it is plausible, and exactly
what differs, for tables and for arrays of any size. The ideas are those that the makers of Miró describe in "Our
approach to data provenance" (2017), carried from small tables to HDF5, NetCDF, Zarr, Parquet and CSV, and joined to
runs:

| idea | here | more |
|---|---|---|
| automatic logging | every run leaves a record; `hpcprov log` makes a script of it | [record](record.md) |
| an audit trail in the dataset | `exec --embed`, `hpcprov stamp`, `hpcprov trail` | [trail](trail.md) |
| definitions of fields, with contexts | `hpcprov define`, `hpcprov fields` | [definitions](definitions.md) |
| constraints, discovered and verified | `hpcprov constraints`, `exec --constraints` | [constraints](constraints.md) |
| a data dictionary, edited and read back | `hpcprov dictionary`, `hpcprov annotate` | [dictionary](dictionary.md) |
| signatures over values | `hpcprov hash`, `hpcprov verify` | [signature](signature.md) |
| differences between datasets | `hpcprov diff` | [diff](diff.md) |

Everything below was printed by `make questions` (`workflows/transactions/page.py`), which runs each command.
"""

TRANSACTIONS = """## Ten transactions of four customers

A table that a person can check. `derive` adds the days since the same customer's transaction before, and writes the
table in four formats; `measures` makes one line of each customer's transactions; `variant` changes two cells, one of
them to less than nothing. `--embed` puts the trail into what is written, `--stats` counts while it is signed.
"""
RAW_TO_MEASURES = (
    "hpcprov exec --name shop -- python transactions.py raw trans.csv",
    "hpcprov exec --name derive --embed --stats -- python transactions.py derive trans.csv derived",
    "hpcprov exec --name measures -- python transactions.py measures derived.parquet measures.csv",
    "hpcprov exec --name variant -- python transactions.py variant derived",
)
DESCRIBED = "hpcprov annotate derived.parquet --field amount --description 'what was paid' --units EUR"
# As a person would in a spreadsheet program: into the column `Description` of the row `categ`.
FILLED = (
    "python -c \"import openpyxl; book = openpyxl.load_workbook('derived.xlsx'); sheet = book['Fields']; "
    "at = lambda text: next(cell for row in sheet for cell in row if cell.value == text); "
    "sheet.cell(at('categ').row, at('Description').column).value = 'A: in the shop, B: by mail'; "
    "book.save('derived.xlsx')\""
)
ON_TABLES = (
    Question("Automatic logging", "The commands, as a script that does it again.", "hpcprov log {derive}"),
    Question(
        "The audit trail in the dataset",
        "It lies in the file, and goes where the file goes: here to a directory without any record.",
        "hpcprov trail elsewhere/derived.parquet",
        before="mkdir elsewhere && cp derived.parquet elsewhere",
    ),
    Question(
        "Definitions and contexts",
        "A field that was defined says so; of the others the command is known. What is aggregated names what it was "
        "made of, back to the raw table.",
        "hpcprov fields measures.csv --follow",
    ),
    Question(
        "Constraints",
        "Discovered on the table as it is. The variant breaks two of them, with one cell; the other cell that was "
        "changed is as plausible as before.",
        "hpcprov constraints discover derived.parquet -o trans.tdda",
        "hpcprov verify derived-2.parquet trans.tdda",
        status=1,
    ),
    Question("The dictionary", "What is in it, field by field.", "hpcprov dictionary derived.parquet"),
    Question(
        "The dictionary, edited and read back",
        "One field at a time, or a whole sheet that somebody has filled in. The signature stays.",
        DESCRIBED,
        "hpcprov dictionary derived.parquet -o derived.xlsx",
        FILLED,
        "hpcprov annotate derived.parquet --from derived.xlsx",
        "hpcprov annotate derived.parquet --list",
    ),
    Question(
        "Signatures",
        "Each field has one signature in all four formats: CSV, Parquet, HDF5 and Zarr.",
        "hpcprov hash derived.csv derived.parquet derived.h5 derived.zarr",
    ),
    Question(
        "Differences",
        "Two cells, whatever the formats are.",
        "hpcprov diff derived.csv derived-2.parquet",
        status=1,
    ),
    Question("Arrays, too", "The same table as arrays.", "hpcprov diff derived.h5 derived-2.zarr", status=1),
    Question(
        "Both versions, kept",
        "Each field that differs, the other version of it, and what lies between.",
        "hpcprov diff derived.parquet derived-2.parquet --preserve both.csv | grep written",
        "cat both.csv",
    ),
)

FIELD = """## A field in three dimensions, written by four ranks

The flood of `make demo`: water on real terrain, by an MPI program that writes Zarr in parallel, and HDF5.
"""
MODEL = "python model/flood.py --terrain terrain.npz --hours 0.5"
FLOOD = (
    f"mpiexec -n 4 hpcprov exec --name flood --embed --stats -- {MODEL} --out .",
    f"mpiexec -n 4 hpcprov exec --name wet -- {MODEL} --rain 60 --out wet",
)
ON_FIELD = (
    Question("Its log", "With the number of ranks.", "hpcprov log {flood}"),
    Question("Its trail", "In the attributes of the store.", "hpcprov trail flood.zarr"),
    Question("Its definitions", "Back to the terrain.", "hpcprov fields flood.zarr --follow"),
    Question(
        "Its constraints",
        "The run with more rain is deeper than anything seen.",
        "hpcprov constraints discover flood.zarr -o flood.json",
        "hpcprov verify wet/flood.zarr flood.json",
        status=1,
    ),
    Question(
        "Its dictionary",
        "Minimum, maximum and the rest were counted while it was signed.",
        "hpcprov dictionary flood.zarr",
    ),
    Question("Its signatures", "By two ranks.", "mpiexec -n 2 hpcprov hash --stats flood.zarr"),
    Question(
        "What differs",
        "Where, how many, how much.",
        "hpcprov diff flood.zarr wet/flood.zarr --rtol 0.01 -o wet.html",
        status=1,
    ),
)

IRIS = """## The iris pipeline

A Snakemake workflow without a word of hpcprov in it (`workflows/iris`): its shell records it, as
[snakemake.md](snakemake.md) tells.
"""
PIPELINE = (
    'SHELL_EXEC=$(dirname "$(command -v hpcprov)")/../share/hpcprov/workflows/shell/bash; '
    "HPCPROV_STATS=1 snakemake -s iris/Snakefile --cores 1 --default-resources \"shell_exec='$SHELL_EXEC'\"",
)
ON_IRIS = (
    Question(
        "Its dictionary",
        "Of the measurements after they were scaled.",
        "hpcprov dictionary processed.csv",
    ),
    Question(
        "Its constraints",
        "What holds for Fisher's flowers, as TDDA's own file.",
        "hpcprov constraints discover iris.csv -o iris.tdda",
        "hpcprov verify iris.csv iris.tdda",
    ),
    Question("Its trail", "CSV has no room for one: it is told from the records.", "hpcprov trail processed.csv"),
)


def main(terrain: str) -> int:
    """Print the page; the exit status is 1 when a command did not end as expected."""
    with tempfile.TemporaryDirectory(prefix="data") as name:
        folder = Path(name).resolve()
        prepare(folder, terrain)
        page = Page(folder, home=HOME, introduction=INTRODUCTION)
        for text, runs, questions in (
            (TRANSACTIONS, RAW_TO_MEASURES, ON_TABLES),
            (FIELD, FLOOD, ON_FIELD),
            (IRIS, PIPELINE, ON_IRIS),
        ):
            page.say(text)
            page.run(*runs)
            for question in questions:
                page.ask(question, level=3)
    return printed(page)


def prepare(folder: Path, terrain: str) -> None:
    """The programs, the model, and what it reads."""
    model(folder, terrain, "flood.py")
    shutil.copy(HERE / "transactions.py", folder)
    shutil.copytree(HERE.parent / "iris", folder / "iris", ignore=shutil.ignore_patterns("out", "__pycache__"))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
