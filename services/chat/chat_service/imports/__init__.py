"""Imports: users, channels and messages from elsewhere, with their own ids and times."""
