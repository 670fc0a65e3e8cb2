"""Clients, servers and helpers of the end-to-end tests."""
