"""Rate limits: how many calls an app, a user and a channel may make."""
