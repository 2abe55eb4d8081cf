"""Screening: the one gate that everything said passes before it is written."""
