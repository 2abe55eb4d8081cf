"""Mentions: who is named in a message, and the inbox in which they find it."""
