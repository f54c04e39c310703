# ruff: noqa: SIM115 (open as people do)
open("out", "w").write(open("in").read())
open("old", "r+b").write(b"x")
open("in2", "a").write("x")
