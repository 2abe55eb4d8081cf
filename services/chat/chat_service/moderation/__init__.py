"""Moderation: bans and shadow bans, reports and their review."""
