"""Uploaded files: taken in whole or by a signed address, checked, shown to whom they were shown, and removed."""
