"""Exports: everything about a user, or of a channel, as readable lines."""
