"""Telling the app's server of unread messages, for push messages and e-mails of its own."""
