"""Word lists: which phrases an app masks, holds back or rejects."""
