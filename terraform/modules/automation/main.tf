# One Systems Manager automation and the role that it acts as: what can be run from the console
# where no machine with Ansible is at hand, or by a schedule.

resource "aws_iam_role" "this" {
  name                 = var.name
  description          = "What the automation ${var.name} may do"
  permissions_boundary = var.permissions_boundary_arn

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "ssm.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = {
        StringEquals = { "aws:SourceAccount" = var.account_id }
        ArnLike      = { "aws:SourceArn" = "arn:aws:ssm:*:${var.account_id}:automation-execution/*" }
      }
    }]
  })
}

resource "aws_iam_role_policy" "this" {
  name = var.name
  role = aws_iam_role.this.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      for statement in var.statements : {
        Effect   = "Allow"
        Action   = statement.actions
        Resource = statement.resources
      }
    ]
  })
}

resource "aws_ssm_document" "this" {
  name            = var.name
  document_type   = "Automation"
  document_format = "YAML"

  content = yamlencode({
    schemaVersion = "0.3"
    description   = var.description
    assumeRole    = aws_iam_role.this.arn
    parameters    = var.parameters
    mainSteps     = var.steps
  })
}
