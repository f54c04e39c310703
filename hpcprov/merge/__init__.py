"""Logs -> one sealed record: read, group, fold, publish; and settle what nobody published."""
