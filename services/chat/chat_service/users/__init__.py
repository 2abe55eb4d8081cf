"""Users of an app: made by its servers, seen by each other."""
