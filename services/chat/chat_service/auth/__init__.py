"""Who calls: an app's server by API key, or one of its users by token."""
