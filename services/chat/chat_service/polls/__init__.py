"""Polls of messages: make, vote, withdraw, close, results."""
