"""Collaborative text: messages whose text several people write at once, by operations or by a replicated document."""
