"""Search: full text over the messages that the caller may see."""
