"""A recorded run once more: what differs by now, with what it is run, what came of it.

plan = make(record, directory="/scratch/ada/run.rerun-1")     # rerun.plan: pure
checks.differences(plan, environ, check)                      # what is not as it was
place.prepare(plan)                                           # a directory with the inputs linked into it
launch.run(words, plan, environ)                              # the launcher, `hpcprov exec`, the command
outcome.compare(plan, again, values)                          # reproduced bit for bit, within a tolerance, or not
"""
