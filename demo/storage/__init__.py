"""SQLite, and the inbox that makes a consumer idempotent."""
