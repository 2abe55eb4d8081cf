"""The chat service: REST and WebSocket in, one transaction per change, the event log out.

Owns apps, users, channels, messages and the event log. Everything that other services
know about a chat they learned from the events that this package wrote and relayed.
"""
