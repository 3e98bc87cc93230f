"""What a run leaves behind: JSON with a schema, and tables for people."""
