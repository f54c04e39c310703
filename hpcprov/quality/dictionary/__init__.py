"""What is in a dataset, field by field, and what people have written about it beside the data."""
