"""What became of each event for each webhook: history, single deliveries, replay."""
