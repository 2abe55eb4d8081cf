"""Sockets: every event to whoever is subscribed, in order, without a hole."""
