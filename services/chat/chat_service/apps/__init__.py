"""Apps are tenants: made by an operator, each with its API keys and its token secret."""
