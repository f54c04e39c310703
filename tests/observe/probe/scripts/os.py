import os

directory = os.open("dir", os.O_RDONLY)
file = os.open("in", os.O_RDONLY, dir_fd=directory)
os.replace("old", "new")
os.link("in", "hard")
os.symlink("in", "soft")
os.remove("in2")
os.truncate("old2", 1)
os.chdir("dir")
open("out", "w").close()
os.sendfile(os.open("sent", os.O_CREAT | os.O_WRONLY), file, 0, 2)
