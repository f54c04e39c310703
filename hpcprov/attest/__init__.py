"""Who vouches for a record: statements, envelopes, SSH signatures."""
