# Delivery by CodeDeploy: a release starts all of its tasks in the target group that is idle, is
# tried on the trial listener, and then gets the clients' traffic; the old tasks stay for a while
# to go back to. CodeDeploy owns where rules and service point, so neither is put back here.

resource "aws_lb_listener_rule" "blue_green" {
  for_each = local.blue_green ? { clients = { listener = var.listener_arn, group = "blue" }, trial = { listener = var.trial_listener_arn, group = "green" } } : {}

  listener_arn = each.value.listener
  priority     = var.priority

  action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.this[each.value.group].arn
  }

  condition {
    path_pattern {
      values = var.path_patterns
    }
  }

  tags = merge(var.tags, { Name = "${local.hyphenated}-${each.key}" })

  lifecycle {
    ignore_changes = [action]
  }
}

resource "aws_ecs_service" "blue_green" {
  count = local.blue_green ? 1 : 0

  name            = var.name
  cluster         = var.cluster_arn
  task_definition = aws_ecs_task_definition.template.arn
  desired_count   = 0

  deployment_controller {
    type = "CODE_DEPLOY"
  }

  dynamic "capacity_provider_strategy" {
    for_each = local.capacity

    content {
      capacity_provider = capacity_provider_strategy.key
      base              = capacity_provider_strategy.value.base
      weight            = capacity_provider_strategy.value.weight
    }
  }

  health_check_grace_period_seconds = var.health_grace_seconds
  wait_for_steady_state             = false

  network_configuration {
    subnets          = var.subnet_ids
    security_groups  = [var.security_group_id]
    assign_public_ip = false
  }

  load_balancer {
    target_group_arn = aws_lb_target_group.this["blue"].arn
    container_name   = var.name
    container_port   = var.port
  }

  enable_ecs_managed_tags = true
  propagate_tags          = "SERVICE"
  tags                    = var.tags

  # What ECS lets only CodeDeploy change: with a release, by its AppSpec.
  lifecycle {
    ignore_changes = [task_definition, desired_count, load_balancer, capacity_provider_strategy, network_configuration]
  }

  depends_on = [aws_lb_listener_rule.blue_green, aws_iam_role_policy.execution]
}

resource "aws_codedeploy_app" "this" {
  count = local.blue_green ? 1 : 0

  name             = "${var.prefix}-${var.name}"
  compute_platform = "ECS"

  tags = var.tags
}

resource "aws_codedeploy_deployment_group" "this" {
  count = local.blue_green ? 1 : 0

  app_name               = aws_codedeploy_app.this[0].name
  deployment_group_name  = var.name
  deployment_config_name = var.traffic_shift
  service_role_arn       = aws_iam_role.delivery[0].arn

  deployment_style {
    deployment_option = "WITH_TRAFFIC_CONTROL"
    deployment_type   = "BLUE_GREEN"
  }

  blue_green_deployment_config {
    deployment_ready_option {
      action_on_timeout = "CONTINUE_DEPLOYMENT"
    }

    terminate_blue_instances_on_deployment_success {
      action                           = "TERMINATE"
      termination_wait_time_in_minutes = 5 # within these, back is a matter of seconds
    }
  }

  auto_rollback_configuration {
    enabled = true
    events  = length(var.rollback_alarms) > 0 ? ["DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM"] : ["DEPLOYMENT_FAILURE"]
  }

  # An alarm that can't be read stops a release as well: nothing would hold it.
  dynamic "alarm_configuration" {
    for_each = length(var.rollback_alarms) > 0 ? [1] : []

    content {
      enabled                   = true
      alarms                    = var.rollback_alarms
      ignore_poll_alarm_failure = false
    }
  }

  ecs_service {
    cluster_name = var.cluster_name
    service_name = aws_ecs_service.blue_green[0].name
  }

  load_balancer_info {
    target_group_pair_info {
      prod_traffic_route {
        listener_arns = [var.listener_arn]
      }

      test_traffic_route {
        listener_arns = [var.trial_listener_arn]
      }

      dynamic "target_group" {
        for_each = aws_lb_target_group.this

        content {
          name = target_group.value.name
        }
      }
    }
  }

  tags = var.tags

  depends_on = [aws_iam_role_policy.delivery]
}

# What CodeDeploy may do for this service.
resource "aws_iam_role" "delivery" {
  count = local.blue_green ? 1 : 0

  name                 = "${var.prefix}-${var.name}-delivery"
  description          = "Releases ${var.name} by blue/green"
  permissions_boundary = var.permissions_boundary_arn

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "ReleasesOfThisAccount"
      Effect    = "Allow"
      Principal = { Service = "codedeploy.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = { StringEquals = { "aws:SourceAccount" = var.account_id } }
    }]
  })

  tags = var.tags
}

resource "aws_iam_role_policy" "delivery" {
  count = local.blue_green ? 1 : 0

  name = "release"
  role = aws_iam_role.delivery[0].id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "TaskSetsOfTheService"
        Effect   = "Allow"
        Action   = ["ecs:CreateTaskSet", "ecs:DeleteTaskSet", "ecs:DescribeServices", "ecs:UpdateServicePrimaryTaskSet"]
        Resource = ["arn:aws:ecs:${var.region}:${var.account_id}:service/${var.cluster_name}/${var.name}", "arn:aws:ecs:${var.region}:${var.account_id}:task-set/${var.cluster_name}/${var.name}/*"]
      },
      {
        Sid      = "StartItsTasks"
        Effect   = "Allow"
        Action   = ["iam:PassRole"]
        Resource = [aws_iam_role.execution.arn, aws_iam_role.task.arn]
      },
      {
        Sid      = "TurnTheTraffic"
        Effect   = "Allow"
        Action   = ["elasticloadbalancing:ModifyListener", "elasticloadbalancing:ModifyRule"]
        Resource = [var.listener_arn, var.trial_listener_arn, "${replace(coalesce(var.listener_arn, "-"), ":listener/", ":listener-rule/")}/*", "${replace(coalesce(var.trial_listener_arn, "-"), ":listener/", ":listener-rule/")}/*"]
      },
      {
        Sid      = "LookAround"
        Effect   = "Allow"
        Action   = ["elasticloadbalancing:DescribeListeners", "elasticloadbalancing:DescribeRules", "elasticloadbalancing:DescribeTargetGroups", "elasticloadbalancing:DescribeTargetHealth"]
        Resource = ["*"] # the actions know no resource
      },
      {
        Sid      = "WatchTheAlarms"
        Effect   = "Allow"
        Action   = ["cloudwatch:DescribeAlarms"]
        Resource = ["arn:aws:cloudwatch:${var.region}:${var.account_id}:alarm:*"]
      },
      {
        Sid      = "RunItsHooks"
        Effect   = "Allow"
        Action   = ["lambda:InvokeFunction"]
        Resource = ["arn:aws:lambda:${var.region}:${var.account_id}:function:${var.prefix}-${var.name}-*"]
      },
    ]
  })
}
