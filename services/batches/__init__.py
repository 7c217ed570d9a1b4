"""Imports in two steps: staged with what they would change, then confirmed, then perhaps undone."""
