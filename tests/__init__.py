"""Every test of ChatSDK; the folders say what a test may use, see `CONTRIBUTING.md`."""
