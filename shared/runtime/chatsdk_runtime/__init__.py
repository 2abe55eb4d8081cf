"""The plumbing under every ChatSDK service; it knows no domain word.

One module for each thing that it gives: settings, logs, traces, PostgreSQL, migrations,
RabbitMQ, supervised loops, the web frame and health.
"""
