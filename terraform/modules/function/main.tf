resource "aws_cloudwatch_log_group" "this" {
  name              = "/aws/lambda/${var.name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

resource "aws_iam_role" "this" {
  name                 = var.name
  description          = "Function ${var.name}: ${var.description}"
  permissions_boundary = var.permissions_boundary_arn

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "Lambda"
      Effect    = "Allow"
      Principal = { Service = "lambda.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })
}

resource "aws_iam_role_policy" "this" {
  name = "work"
  role = aws_iam_role.this.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [
        {
          Sid      = "WriteLog"
          Effect   = "Allow"
          Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
          Resource = ["${aws_cloudwatch_log_group.this.arn}:*"]
        },
        {
          # X-Ray knows no narrower resource.
          Sid      = "Trace"
          Effect   = "Allow"
          Action   = ["xray:PutTraceSegments", "xray:PutTelemetryRecords"]
          Resource = ["*"]
        },
      ],
      jsondecode(var.policy_statements),
    )
  })
}

resource "aws_lambda_function" "this" {
  #checkov:skip=CKV_AWS_117:it talks to AWS's APIs only, for which a place in the VPC would cost endpoints and bring nothing
  #checkov:skip=CKV_AWS_272:the archive comes out of the repository with the plan, whose hash is checked when it is applied
  #checkov:skip=CKV_AWS_116:what calls it (a stream, Secrets Manager) keeps what failed; nothing calls it asynchronously

  function_name = var.name
  description   = var.description
  role          = aws_iam_role.this.arn

  runtime          = "python3.13"
  architectures    = ["arm64"]
  handler          = "index.handler"
  filename         = var.package
  source_code_hash = filebase64sha256(var.package)

  timeout                        = var.timeout
  memory_size                    = var.memory_mb
  reserved_concurrent_executions = var.concurrency
  kms_key_arn                    = var.kms_key_arn

  environment {
    variables = var.environment
  }

  tracing_config {
    mode = "Active"
  }

  # Lambda would make the group by itself, without retention and key; and it tries the role.
  depends_on = [aws_cloudwatch_log_group.this, aws_iam_role_policy.this]
}
