"""What is in data and what differs: walks fields and tiles."""
