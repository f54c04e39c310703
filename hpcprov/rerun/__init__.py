"""A recorded run once more: what differs by now, with what it is run, what came of it.

plan = make(record, directory="/scratch/ada/run.rerun-1")     # rerun.plan: pure
checks.differences(plan, reads)                               # what is not as it was
place.prepare(plan); launch.run(plan, store)                  # linked inputs, the launcher, `hpcprov exec`
outcome.compare(plan, record, again, ...)                     # reproduced bit for bit, within a tolerance, or not
"""
