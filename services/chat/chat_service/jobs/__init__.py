"""Work that takes many transactions: who does it, how far it is, what came of it."""
