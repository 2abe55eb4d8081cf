"""Retention: messages that are older than the app keeps them."""
