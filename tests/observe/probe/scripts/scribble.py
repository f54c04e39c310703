"""Overwrites parts of this run's event area, or cuts it off, as nothing but an attacker or a broken program does."""

import random
import sys

random.seed(int(sys.argv[1]))
with open("/proc/self/maps") as maps:
    areas = {line.split()[-1] for line in maps if line.rstrip().endswith("/area")}
for path in areas:
    with open(path, "r+b", buffering=0) as area:
        for _ in range(300):
            area.seek(random.randrange(int(sys.argv[2]), 200000))
            area.write(random.randbytes(random.choice([1, 4, 8, 64, 4096])))
with open("in") as source, open("out", "w") as target:
    target.write(source.read())
