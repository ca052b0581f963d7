locals {
  account = "arn:aws:%s:${var.region}:${var.account_id}"
  parts = {
    secrets    = "${format(local.account, "secretsmanager")}:secret:${var.prefix}/${var.name}/*"
    parameters = "${format(local.account, "ssm")}:parameter/${var.prefix}/${var.name}/*"
    log        = "${format(local.account, "logs")}:log-group:${var.log_group_name}"
    fleet      = "${format(local.account, "autoscaling")}:autoScalingGroup:*:autoScalingGroupName/${var.prefix}-${var.name}"
  }

  # What the SSM agent itself calls. AWS's own policy for it (AmazonSSMManagedInstanceCore)
  # would also let the node read every parameter of the account.
  session_manager = [
    {
      Sid    = "BeManagedBySystemsManager"
      Effect = "Allow"
      Action = [
        "ssm:DescribeAssociation", "ssm:DescribeDocument", "ssm:GetDeployablePatchSnapshotForInstance",
        "ssm:GetDocument", "ssm:GetManifest", "ssm:ListAssociations", "ssm:ListInstanceAssociations",
        "ssm:PutComplianceItems", "ssm:PutConfigurePackageResult", "ssm:PutInventory",
        "ssm:UpdateAssociationStatus", "ssm:UpdateInstanceAssociationStatus", "ssm:UpdateInstanceInformation",
      ]
      Resource = ["*"] # the agent's calls know no narrower resource
    },
    {
      Sid    = "TalkToSystemsManager"
      Effect = "Allow"
      Action = [
        "ec2messages:AcknowledgeMessage", "ec2messages:DeleteMessage", "ec2messages:FailMessage",
        "ec2messages:GetEndpoint", "ec2messages:GetMessages", "ec2messages:SendReply",
        "ssmmessages:CreateControlChannel", "ssmmessages:CreateDataChannel",
        "ssmmessages:OpenControlChannel", "ssmmessages:OpenDataChannel",
      ]
      Resource = ["*"] # likewise
    },
  ]

  own_configuration = [
    {
      Sid       = "ReadOwnSecrets"
      Effect    = "Allow"
      Action    = ["secretsmanager:GetSecretValue"]
      Resource  = [local.parts.secrets]
      Condition = { StringEquals = { "aws:ResourceTag/Environment" = var.environment } }
    },
    {
      Sid      = "ReadOwnParameters"
      Effect   = "Allow"
      Action   = ["ssm:GetParameter", "ssm:GetParameters", "ssm:GetParametersByPath"]
      Resource = [local.parts.parameters]
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

  report = [
    {
      Sid       = "PublishOwnMetrics"
      Effect    = "Allow"
      Action    = ["cloudwatch:PutMetricData"]
      Resource  = ["*"] # the action knows no resource, but the namespace
      Condition = { StringEquals = { "cloudwatch:namespace" = var.metric_namespace } }
    },
    {
      Sid      = "WriteOwnLog"
      Effect   = "Allow"
      Action   = ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"]
      Resource = ["${local.parts.log}:*"]
    },
    {
      # A node that is taken away exits in its own time, then says so.
      Sid      = "EndOwnDrain"
      Effect   = "Allow"
      Action   = ["autoscaling:CompleteLifecycleAction", "autoscaling:RecordLifecycleActionHeartbeat"]
      Resource = [local.parts.fleet]
    },
  ]
}

resource "aws_iam_role" "this" {
  name                 = "${var.prefix}-${var.name}-node"
  description          = "Instances of ${var.name}"
  permissions_boundary = var.permissions_boundary_arn

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "InstancesOfThisAccount"
      Effect    = "Allow"
      Principal = { Service = "ec2.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })
}

resource "aws_iam_role_policy" "this" {
  name = "run-node"
  role = aws_iam_role.this.id

  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = concat(local.session_manager, local.own_configuration, local.report)
  })
}

resource "aws_iam_instance_profile" "this" {
  name = aws_iam_role.this.name
  role = aws_iam_role.this.name
}
