"""Prices of markets out of the stream of events: kept, answered, and fed to who listens."""
