# ruff: noqa: SIM115 (open as people do)
import gzip
import tarfile
import zipfile

with zipfile.ZipFile("a.zip", "w") as archive:
    archive.write("in")
with tarfile.open("a.tar", "w") as tar:
    tar.add("dir")
with gzip.open("a.gz", "w") as stream:
    stream.write(open("in2", "rb").read())
zipfile.ZipFile("a.zip").extract("in", "x")
