# ruff: noqa: SIM115 (open as people do)
import os
import subprocess

subprocess.run(["cp", "in", "out"], check=True)
subprocess.run("cat in2 > out2", shell=True, cwd="dir/..", check=True)
subprocess.run(["cat"], stdin=open("old"), stdout=open("out3", "w"), env={}, check=True, close_fds=False)
os.system("cat dir/in")
os.popen("cat old2").read()
