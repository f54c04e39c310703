"""Records and lineage in other people's formats."""
