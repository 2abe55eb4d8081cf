"""Speed, as ratios against a yardstick that is measured in the same session: `python -m tests.bench`."""
