"""The webhook dispatcher: turns each event into signed deliveries and keeps their history.

Reads the events that the chat service relays, plans one delivery for each matching webhook,
sends them, retries what fails, and answers for every one of them over HTTP.
"""
