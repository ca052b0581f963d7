locals {
  # Only ECS, and only on behalf of this account's tasks, may take the roles.
  trust = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "TasksOfThisAccount"
      Effect    = "Allow"
      Principal = { Service = "ecs-tasks.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = {
        StringEquals = { "aws:SourceAccount" = var.account_id }
        ArnLike      = { "aws:SourceArn" = "arn:aws:ecs:${var.region}:${var.account_id}:*" }
      }
    }]
  })

  pull_and_log = [
    {
      Sid      = "SignInToRegistry"
      Effect   = "Allow"
      Action   = ["ecr:GetAuthorizationToken"]
      Resource = ["*"] # the action knows no resource
    },
    {
      Sid      = "PullOwnImage"
      Effect   = "Allow"
      Action   = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
      Resource = [var.repository_arn]
    },
    {
      Sid      = "WriteOwnLog"
      Effect   = "Allow"
      Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
      Resource = ["${aws_cloudwatch_log_group.this.arn}:*"]
    },
  ]

  own_configuration = [
    {
      Sid       = "ReadOwnSecrets"
      Effect    = "Allow"
      Action    = ["secretsmanager:GetSecretValue"]
      Resource  = ["arn:aws:secretsmanager:${var.region}:${var.account_id}:secret:${var.prefix}/${var.name}/*"]
      Condition = { StringEquals = { "aws:ResourceTag/Environment" = var.environment } }
    },
    {
      Sid      = "ReadOwnParameters"
      Effect   = "Allow"
      Action   = ["ssm:GetParameters"]
      Resource = ["arn:aws:ssm:${var.region}:${var.account_id}:parameter/${var.prefix}/${var.name}/*"]
    },
    {
      Sid      = "DecryptThem"
      Effect   = "Allow"
      Action   = ["kms:Decrypt"]
      Resource = [var.kms_key_arn]
      Condition = {
        StringEquals = {
          "kms:ViaService" = ["secretsmanager.${var.region}.amazonaws.com", "ssm.${var.region}.amazonaws.com"]
        }
      }
    },
  ]

  # RDS names its secrets after an id that only the data stack knows, but tags each
  # with the instance it belongs to.
  database_secret = [for identifier in var.database_identifier[*] : {
    Sid      = "ReadDatabaseSecret"
    Effect   = "Allow"
    Action   = ["secretsmanager:GetSecretValue"]
    Resource = ["arn:aws:secretsmanager:${var.region}:${var.account_id}:secret:rds!db-*"]
    Condition = {
      StringEquals = {
        "aws:ResourceTag/aws:rds:primaryDBInstanceArn" = "arn:aws:rds:${var.region}:${var.account_id}:db:${identifier}"
      }
    }
  }]
}

# What ECS itself may do to start a task: pull, log, read the secrets.
resource "aws_iam_role" "execution" {
  name                 = "${var.prefix}-${var.name}-execution"
  description          = "Starts tasks of ${var.name}"
  permissions_boundary = var.permissions_boundary_arn
  assume_role_policy   = local.trust

  tags = var.tags
}

resource "aws_iam_role_policy" "execution" {
  name = "start-task"
  role = aws_iam_role.execution.id

  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = concat(local.pull_and_log, local.own_configuration, local.database_secret)
  })
}

# What the running code may do: what the inventory grants it, and nothing where it grants nothing.
resource "aws_iam_role" "task" {
  name                 = "${var.prefix}-${var.name}-task"
  description          = "Running code of ${var.name}"
  permissions_boundary = var.permissions_boundary_arn
  assume_role_policy   = local.trust

  tags = var.tags
}

locals {
  granted = [for index, grant in var.permissions : {
    Sid      = "Granted${index + 1}"
    Effect   = "Allow"
    Action   = grant.actions
    Resource = grant.resources
  }]

  # Only services that keep what they hold under the environment's key, and those alone in their name.
  encrypting = setintersection(
    ["dynamodb", "firehose", "kinesis", "s3", "secretsmanager", "sqs"],
    concat(flatten([for grant in var.permissions : [for action in grant.actions : split(":", action)[0]]]), var.database_secret ? ["secretsmanager"] : []),
  )

  use_key = [for services in [sort(local.encrypting)] : {
    Sid       = "UseTheirKey"
    Effect    = "Allow"
    Action    = ["kms:Decrypt", "kms:GenerateDataKey"]
    Resource  = [var.kms_key_arn]
    Condition = { StringEquals = { "kms:ViaService" = [for service in services : "${service}.${var.region}.amazonaws.com"] } }
  } if length(services) > 0]
}

resource "aws_iam_role_policy" "task" {
  count = length(local.granted) > 0 || var.database_secret ? 1 : 0

  name = "granted"
  role = aws_iam_role.task.id

  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = concat(local.granted, [for statement in local.database_secret : statement if var.database_secret], local.use_key)
  })
}
