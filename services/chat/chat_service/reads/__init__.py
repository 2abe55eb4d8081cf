"""How far members have read: the marker, which is theirs, and receipts, which tell the others."""
