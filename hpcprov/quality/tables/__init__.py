"""What differs between two tables: rows by number, by key or by their content, then cells column by column."""
