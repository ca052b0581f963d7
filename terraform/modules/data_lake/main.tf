# Every record of the stream, as it came, in a bucket: what consumers got wrong can be read again.

module "bucket" {
  source = "../bucket"

  name                   = var.bucket
  kms_key_arn            = var.kms_key_arn
  force_destroy          = var.force_destroy
  infrequent_access_days = var.infrequent_access_days
  expire_days            = var.expire_days
}

resource "aws_cloudwatch_log_group" "this" {
  name              = "/aws/kinesisfirehose/${var.name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

resource "aws_cloudwatch_log_stream" "this" {
  name           = "delivery"
  log_group_name = aws_cloudwatch_log_group.this.name
}

resource "aws_kinesis_firehose_delivery_stream" "this" {
  #checkov:skip=CKV_AWS_240:what comes from an encrypted stream stays encrypted on its way; Firehose takes no key of its own then
  #checkov:skip=CKV_AWS_241:as above

  name        = var.name
  destination = "extended_s3"

  kinesis_source_configuration {
    kinesis_stream_arn = var.stream_arn
    role_arn           = aws_iam_role.this.arn
  }

  extended_s3_configuration {
    role_arn   = aws_iam_role.this.arn
    bucket_arn = module.bucket.arn

    # In the shape that Athena, Glue and Spark find partitions in.
    prefix              = "events/dt=!{timestamp:yyyy-MM-dd}/hour=!{timestamp:HH}/"
    error_output_prefix = "errors/!{firehose:error-output-type}/dt=!{timestamp:yyyy-MM-dd}/"
    file_extension      = ".json.gz"
    compression_format  = "GZIP"
    kms_key_arn         = var.kms_key_arn

    buffering_size     = var.buffer_mb
    buffering_interval = var.buffer_seconds

    cloudwatch_logging_options {
      enabled         = true
      log_group_name  = aws_cloudwatch_log_group.this.name
      log_stream_name = aws_cloudwatch_log_stream.this.name
    }

    # Records have no end of line, and a file of them could not be split again.
    processing_configuration {
      enabled = true

      processors {
        type = "AppendDelimiterToRecord"

        parameters {
          parameter_name  = "Delimiter"
          parameter_value = "\\n"
        }
      }
    }
  }

  # It tries stream, key and bucket as soon as it is made.
  depends_on = [aws_iam_role_policy.this]
}
