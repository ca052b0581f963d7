"""Products, their prices and their stock over HTTP, kept in PostgreSQL."""
