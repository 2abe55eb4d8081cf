"""The registrations: who wants which events at which URL, with which secret."""
