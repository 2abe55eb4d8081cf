"""What an operator does at a terminal."""
