# A function that gives secrets new values, and when it does so.

module "function" {
  source = "../function"

  permissions_boundary_arn = var.permissions_boundary_arn

  name               = var.name
  description        = "Rotates secrets, and the passwords of cache users with them"
  package            = var.package
  timeout            = 180
  concurrency        = 2
  kms_key_arn        = var.kms_key_arn
  log_retention_days = var.log_retention_days

  policy_statements = jsonencode(concat(
    [
      {
        Sid    = "Rotate"
        Effect = "Allow"
        Action = [
          "secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue",
          "secretsmanager:PutSecretValue", "secretsmanager:UpdateSecretVersionStage",
        ]
        Resource = values(var.secret_arns)
      },
      {
        # It makes a password and touches nothing, so it knows no resource.
        Sid      = "MakePassword"
        Effect   = "Allow"
        Action   = ["secretsmanager:GetRandomPassword"]
        Resource = ["*"]
      },
      {
        Sid       = "UseKey"
        Effect    = "Allow"
        Action    = ["kms:Decrypt", "kms:GenerateDataKey"]
        Resource  = [var.kms_key_arn]
        Condition = { StringEquals = { "kms:ViaService" = "secretsmanager.${var.region}.amazonaws.com" } }
      },
    ],
    length(var.cache_user_arns) == 0 ? [] : [{
      Sid      = "GivePasswordToCache"
      Effect   = "Allow"
      Action   = ["elasticache:DescribeUsers", "elasticache:ModifyUser"]
      Resource = var.cache_user_arns
    }],
  ))
}

resource "aws_lambda_permission" "this" {
  for_each = var.secret_arns

  function_name = module.function.name
  statement_id  = "rotate-${each.key}"
  action        = "lambda:InvokeFunction"
  principal     = "secretsmanager.amazonaws.com"
  source_arn    = each.value
}

# The first rotation begins at once: before it there is no password.
resource "aws_secretsmanager_secret_rotation" "this" {
  for_each = var.secret_arns

  secret_id           = each.value
  rotation_lambda_arn = module.function.arn

  rotation_rules {
    automatically_after_days = var.days
  }

  depends_on = [aws_lambda_permission.this]
}
