"""A recorded run once more: what differs, what it is run with, what came of it."""
