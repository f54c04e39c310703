"""Reading arrays: `open_data(path)` gives a Dataset of Fields; format libraries are imported in this room only."""
