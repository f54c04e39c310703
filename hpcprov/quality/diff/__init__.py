"""What exactly differs between two datasets: `datasets.diff` for what is open, `files.diff_files` for paths."""
