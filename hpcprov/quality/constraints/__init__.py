"""What data should be: constraints that are discovered from data, kept in a file, checked, compared and exported.

kinds, file, changes, pandera_script: the file (standard library only)
blocks, bounds, places, checks, sequence, duplicates, rex, field_check, verify, detect: data held against it
discover, sample, outliers: found in data    answer: the form of what the reading child answers
"""
