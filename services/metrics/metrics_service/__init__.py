"""The metrics service: counts each event exactly once and exposes the totals.

Reads the events that the chat service relays, keeps rollups in its own database in the
transaction that marks an event as counted, and serves them to Prometheus and over HTTP.
"""
