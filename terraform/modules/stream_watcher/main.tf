# A function that looks at every record of a stream: counts, lag, and what is no event. It writes
# nothing but metrics, so that it can fail without an event being lost.

module "function" {
  source = "../function"

  permissions_boundary_arn = var.permissions_boundary_arn

  name               = var.name
  description        = "Counts the stream's events, measures their age, lays aside what is none"
  package            = var.package
  environment        = { STREAM = var.stream_name }
  timeout            = 30
  concurrency        = var.concurrency
  kms_key_arn        = var.kms_key_arn
  log_retention_days = var.log_retention_days

  policy_statements = jsonencode([
    {
      Sid      = "ReadStream"
      Effect   = "Allow"
      Action   = ["kinesis:DescribeStream", "kinesis:DescribeStreamSummary", "kinesis:GetRecords", "kinesis:GetShardIterator", "kinesis:ListShards"]
      Resource = [var.stream_arn]
    },
    {
      Sid      = "FindBucket"
      Effect   = "Allow"
      Action   = ["s3:ListBucket"]
      Resource = [var.failures_bucket_arn]
    },
    {
      # Lambda names the objects; the prefix is its own.
      Sid      = "LayAside"
      Effect   = "Allow"
      Action   = ["s3:PutObject"]
      Resource = ["${var.failures_bucket_arn}/aws/lambda/*"]
    },
    {
      Sid      = "UseKey"
      Effect   = "Allow"
      Action   = ["kms:Decrypt", "kms:GenerateDataKey"]
      Resource = [var.kms_key_arn]
    },
  ])
}

resource "aws_lambda_event_source_mapping" "this" {
  event_source_arn  = var.stream_arn
  function_name     = module.function.arn
  starting_position = "TRIM_HORIZON"

  batch_size                         = 500
  maximum_batching_window_in_seconds = 5
  function_response_types            = ["ReportBatchItemFailures"]

  # A record that can't be read must not hold up its shard until it expires: the batch is halved
  # around it, and after two more tries it is laid aside whole.
  bisect_batch_on_function_error = true
  maximum_retry_attempts         = 2

  destination_config {
    on_failure {
      destination_arn = var.failures_bucket_arn
    }
  }
}
