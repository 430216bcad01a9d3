"""One file per numbered change."""
