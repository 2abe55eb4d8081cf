"""Channels and their members: the row lock of a channel orders everything in it."""
