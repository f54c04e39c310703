"""The questions of docs/questions.md, asked of the demo: each command is run, and the page is printed with its output.

    python -m workflows.flood.questions TERRAIN.npz > docs/questions.md        # make questions

In a new directory the flood is simulated on four ranks, a figure and a table are made of it, a second simulation is
run with other rain, and a file is changed behind everybody's back. Then the questions are asked. What differs from run
to run, paths and times, is left as it is, but for the directory, which is called /scratch/ada/flood.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from workflows.asking import Page, Question, model, printed

HOME = "/scratch/ada/flood"

INTRODUCTION = """# Questions, and the commands that answer them

Everything below was printed by `make questions` (`workflows/flood/questions.py`), which runs the demo and asks of it.
"""

# What is run before anything is asked.
RUNS = (
    "mpiexec -n 4 hpcprov exec --name flood -- python model/flood.py --terrain terrain.npz --hours 0.5 --out .",
    "hpcprov exec --name figure -- python model/figure.py terrain.npz flood.h5 figure3.png",
    "hpcprov exec --name summary -- sh -c 'python model/summarize.py flood.h5 > summary.csv'",
)


CHANGE = "python -c \"import h5py; h5py.File('flood.h5', 'r+')['max_depth'][300, 400] = 1\""
KEY = "ssh-keygen -q -t ed25519 -N '' -C ada -f key && echo \"ada@example.org $(cat key.pub)\" > signers"
WET = RUNS[0].replace("flood --", "wet --").replace("--out .", "--rain 60 --out wet")
QUESTIONS = (
    Question("What was run here?", "The newest run first.", "hpcprov runs"),
    Question("How did this run go?", "One screen on one run.", "hpcprov show {figure}"),
    Question(
        "What made figure 3?",
        "Upwards from the picture to the terrain that somebody measured.",
        "hpcprov lineage figure3.png",
    ),
    Question(
        "Where does this one array come from?",
        "A field of a file has a signature, and a past, of its own.",
        "hpcprov lineage flood.h5/max_depth",
    ),
    Question(
        "What depends on this input?",
        "Downwards, when a colleague says that the terrain was wrong.",
        "hpcprov lineage terrain.npz --down",
    ),
    Question(
        "Which runs wrote pictures?",
        "By path, digest, image, module, commit, and more.",
        "hpcprov find '*.png' --generated",
    ),
    Question(
        "Why do these two results differ?",
        "The causes in the order in which one looks for them, then the first field and cell that they changed.",
        "hpcprov why flood.h5 wet/flood.h5",
        status=1,
        before=WET,
    ),
    Question("Is it still what was written?", "Everything is read again.", "hpcprov verify flood.h5"),
    Question(
        "Who vouches for it?",
        "An SSH key does, and `ssh-keygen` alone can check it.",
        "hpcprov attest {figure} --key key",
        "hpcprov verify {figure} --attested-by signers",
        before=KEY,
    ),
    Question(
        "Somebody has changed one cell. Does it show, and where?",
        "To the tile.",
        "hpcprov verify flood.h5",
        status=1,
        before=CHANGE,
    ),
    Question(
        "Can figure 3 still be trusted?",
        "Everything that it was made of, generation by generation.",
        "hpcprov verify --upstream figure3.png",
        status=1,
    ),
    Question(
        "Can I make it again?",
        "In a new directory, with the inputs checked first, and the outputs compared field by field.",
        "hpcprov rerun {flood}",
    ),
    Question(
        "How do I say it in a paper?", "The methods paragraph and the tables.", "hpcprov report {flood} --format md"
    ),
    Question("What software was it?", "As a bill of materials.", "hpcprov export {flood} --to cyclonedx | head -24"),
    Question(
        "How do other tools read it?",
        "Formats that others defined; each is checked by their own validators in the tests.",
        "hpcprov export --formats",
    ),
    Question(
        "How do I give it to somebody?",
        "Records with their logs in one file, which is checked before anything of it is taken.",
        "hpcprov export figure3.png --to bundle -o figure3.hpcprov.zip",
        "mkdir -p elsewhere/.hpcprov && cd elsewhere && hpcprov import ../figure3.hpcprov.zip",
    ),
    Question("What may be deleted?", "Records never.", "hpcprov prune --older-than 90d"),
)


def main(terrain: str) -> int:
    """Print the page; the exit status is 1 when a question was not answered as expected."""
    # The store's directory has to be one in which nothing lies yet, and in which no store lies above.
    with tempfile.TemporaryDirectory(prefix="questions") as name:
        folder = Path(name).resolve()
        model(folder, terrain, "flood.py", "figure.py", "summarize.py")
        page = Page(folder, home=HOME, introduction=INTRODUCTION)
        page.run(*RUNS)
        for question in QUESTIONS:
            page.ask(question)
    return printed(page)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
