resource "aws_kinesis_stream" "this" {
  name             = var.name
  retention_period = var.retention_hours
  encryption_type  = "KMS"
  kms_key_id       = var.kms_key_arn

  # Without a number of shards AWS sizes the stream by itself and takes a price for each GB instead.
  shard_count = var.shards

  stream_mode_details {
    stream_mode = var.shards == null ? "ON_DEMAND" : "PROVISIONED"
  }

  # A consumer that asks by itself (enhanced fan-out) would hinder the removal of the stream.
  enforce_consumer_deletion = var.force_destroy
}
