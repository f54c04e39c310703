"""An index over records, and the questions that it answers. Deleted and rebuilt at any time."""
