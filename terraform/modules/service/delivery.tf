# What ECS may do to turn clients to a new revision: its rules and groups, and the functions that a
# release asks on the way. Managed by AWS there is AmazonECSInfrastructureRolePolicyForLoadBalancers;
# this is that, narrowed to the workload.
resource "aws_iam_role" "delivery" {
  count = local.has_clients ? 1 : 0

  name                 = "${var.prefix}-${var.name}-delivery"
  description          = "Turns clients to releases of ${var.name}"
  permissions_boundary = var.permissions_boundary_arn

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "ServicesOfThisAccount"
      Effect    = "Allow"
      Principal = { Service = "ecs.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = { StringEquals = { "aws:SourceAccount" = var.account_id } }
    }]
  })

  tags = var.tags
}

resource "aws_iam_role_policy" "delivery" {
  count = local.has_clients ? 1 : 0

  name = "turn-clients"
  role = aws_iam_role.delivery[0].id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "TurnTheRules"
        Effect   = "Allow"
        Action   = ["elasticloadbalancing:ModifyRule"]
        Resource = [aws_lb_listener_rule.this[0].arn, aws_lb_listener_rule.trial[0].arn]
      },
      {
        Sid      = "TargetsOfTheGroups"
        Effect   = "Allow"
        Action   = ["elasticloadbalancing:RegisterTargets", "elasticloadbalancing:DeregisterTargets"]
        Resource = [for group in aws_lb_target_group.this : group.arn]
      },
      {
        Sid      = "LookAround"
        Effect   = "Allow"
        Action   = ["elasticloadbalancing:DescribeListeners", "elasticloadbalancing:DescribeRules", "elasticloadbalancing:DescribeTargetGroups", "elasticloadbalancing:DescribeTargetHealth"]
        Resource = ["*"] # the actions know no resource
      },
      {
        Sid      = "AskItsHooks"
        Effect   = "Allow"
        Action   = ["lambda:InvokeFunction"]
        Resource = ["arn:aws:lambda:${var.region}:${var.account_id}:function:${var.prefix}-${var.name}-*"]
      },
    ]
  })
}
