"""What a client missed, and what it did while it was away."""
