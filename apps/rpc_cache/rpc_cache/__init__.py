"""A cache in front of Solana RPC nodes: fewer calls reach them, and no caller takes them all."""
