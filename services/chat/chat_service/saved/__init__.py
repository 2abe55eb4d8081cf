"""Saved messages: what a user keeps, seen by nobody else."""
