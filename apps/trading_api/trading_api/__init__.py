"""Orders and instruments over HTTP, kept in PostgreSQL, with one read cached in Redis."""
