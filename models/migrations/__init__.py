"""Migrations of the schema; ``services.migration`` runs them, ``render`` writes the first one."""
