import pathlib
import shutil

path = pathlib.Path("in")
pathlib.Path("out").write_bytes(path.read_bytes())
shutil.copy("in2", "out2")
shutil.move("old", "dir/new")
shutil.copytree("dir", "tree")
shutil.rmtree("dir")
path.rename("renamed")
shutil.make_archive("a", "tar", "tree")
