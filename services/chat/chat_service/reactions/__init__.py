"""Reactions: one event for each that is added or taken back, written by the batched writer."""
