"""Who types where: told to a channel at once, kept in memory only, over by itself."""
