"""What a member keeps privately about a channel: muted, starred, hidden. Their devices see it, nobody else."""
