"""What happens to some accounts of Solana, into Kinesis: in order per account, and without gaps."""
