"""Events out of Kinesis into PostgreSQL: each once, in order per key, whatever ends or freezes."""
