"""The event log: append in the transaction, number after commit, publish in order, read by position."""
