"""Records and lineage in other people's formats, and runs that come from elsewhere."""
