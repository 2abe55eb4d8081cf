"""Requests to strangers: guarded addresses, one deadline, bounded replies."""
