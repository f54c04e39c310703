"""Records and lineage for people: HTML, Markdown and plain text."""
