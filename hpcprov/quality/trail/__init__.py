"""The audit trail in a dataset: what runs made its values, told by the dataset itself."""
