"""Held messages: who waits for a moderator, and what the moderator decides."""
