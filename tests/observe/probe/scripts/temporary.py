# ruff: noqa: SIM115 (open as people do)
import os
import tempfile

file = tempfile.NamedTemporaryFile(dir=".", delete=False)
file.write(b"x")
file.close()
os.replace(file.name, "out")
directory = tempfile.TemporaryDirectory(dir=".")
open(directory.name + "/x", "w").close()
directory.cleanup()
tempfile.TemporaryFile(dir=".").write(b"x")
open("out").close()
