"""Workspaces: groups of channels with members, roles and invitations of their own."""
