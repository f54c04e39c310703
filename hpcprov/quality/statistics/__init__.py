"""What is in data: counts, extremes, mean and deviation, distinct values and order of each field, in one pass.

    statistics_of(values)  ->  {"": {"count": 1000, "missing": 3, "min": -1.5, "max": 9.0, "mean": 2.25, ...}}

They are counted while the tiles are signed, and are the same for any file format, chunking and number of threads or
ranks. docs/statistics.md says what each means for which type.
"""

from hpcprov.quality.statistics.counter import Counter as Counter
from hpcprov.quality.statistics.reading import counting as counting
from hpcprov.quality.statistics.reading import statistics_of as statistics_of
