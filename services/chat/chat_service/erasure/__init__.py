"""Erasing a user: everything they wrote, everywhere, for good."""
