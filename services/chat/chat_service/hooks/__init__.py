"""The before-send hook: an app's own server judges what is about to be said."""
