"""The digest of an array's values (docs/signature.md): tiles, digests, plans, and the runners that compute them."""
