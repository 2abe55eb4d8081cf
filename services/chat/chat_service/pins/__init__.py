"""Pins: the few messages that a channel keeps in view."""
