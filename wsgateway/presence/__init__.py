"""Presence: which gateway and connection own a user."""
