"""Threads: the replies to a message, who takes part, who follows, and how far each has read."""
