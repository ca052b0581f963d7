locals {
  # Task definitions, services and repositories take underscores; target groups do not.
  hyphenated = replace("${var.prefix}-${var.name}", "_", "-")

  # With Spot, one task always stands on ordinary capacity, so that a reclaim
  # of all Spot capacity leaves the service up.
  capacity = var.spot ? { FARGATE = { base = 1, weight = 0 }, FARGATE_SPOT = { base = 0, weight = 1 } } : { FARGATE = { base = 0, weight = 1 } }

  # Paths make a workload one with clients. Without them nothing is sent to it, so no load balancer judges
  # its tasks either: its container's own health check does.
  has_clients = length(var.path_patterns) > 0

  # What forces a new target group is part of its name, so that the new one can
  # stand beside the old until listener rule and service have moved over.
  target_group_keys = {
    blue  = substr(sha1(jsonencode([local.hyphenated, var.port, var.vpc_id])), 0, 6)
    green = substr(sha1(jsonencode([local.hyphenated, var.port, var.vpc_id, "green"])), 0, 6)
  }
}

# Releases that turn the clients take turns in two groups; a rolling one stays in the group that serves.
resource "aws_lb_target_group" "this" {
  for_each = toset(local.has_clients ? ["blue", "green"] : [])

  name                 = "${trimsuffix(substr(local.hyphenated, 0, 25), "-")}-${local.target_group_keys[each.key]}"
  vpc_id               = var.vpc_id
  target_type          = "ip"
  protocol             = "HTTP"
  port                 = var.port
  deregistration_delay = 30

  health_check {
    path                = var.health_path
    matcher             = "200"
    interval            = 5
    timeout             = 2
    healthy_threshold   = 2
    unhealthy_threshold = 2
  }

  tags = var.tags

  lifecycle {
    create_before_destroy = true
  }
}

moved {
  from = aws_lb_target_group.this
  to   = aws_lb_target_group.this["blue"]
}

# Clients come by the first rule; by the second a release is tried before they see it. A release has
# ECS turn both, so where they forward to is not put back here.
resource "aws_lb_listener_rule" "this" {
  count = local.has_clients ? 1 : 0

  listener_arn = var.listener_arn
  priority     = var.priority

  action {
    type = "forward"

    forward {
      dynamic "target_group" {
        for_each = { blue = 100, green = 0 }

        content {
          arn    = aws_lb_target_group.this[target_group.key].arn
          weight = target_group.value
        }
      }
    }
  }

  condition {
    path_pattern {
      values = var.path_patterns
    }
  }

  tags = merge(var.tags, { Name = local.hyphenated })

  lifecycle {
    ignore_changes = [action]
  }
}

resource "aws_lb_listener_rule" "trial" {
  count = local.has_clients ? 1 : 0

  listener_arn = var.trial_listener_arn
  priority     = var.priority

  action {
    type = "forward"

    forward {
      dynamic "target_group" {
        for_each = { blue = 100, green = 0 }

        content {
          arn    = aws_lb_target_group.this[target_group.key].arn
          weight = target_group.value
        }
      }
    }
  }

  condition {
    path_pattern {
      values = var.path_patterns
    }
  }

  tags = merge(var.tags, { Name = "${local.hyphenated}-trial" })

  lifecycle {
    ignore_changes = [action]
  }
}

locals {
  # The task itself runs it; as often as the load balancer would ask, if that is seldom enough.
  own_check = { for key in ["healthCheck"] : key => {
    command     = var.health_command
    interval    = 10
    timeout     = 10 # a busy host starts the check late, which is no fault of the task
    retries     = 3
    startPeriod = min(var.health_grace_seconds, 300)
  } if length(var.health_command) > 0 }
}

resource "aws_cloudwatch_log_group" "this" {
  name              = "/${var.prefix}/${var.name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn

  tags = var.tags
}

# The shape of a task. A release adds the image, the environment and the secrets
# to it and registers the result as a further revision of the same family.
resource "aws_ecs_task_definition" "template" {
  family                   = "${var.prefix}-${var.name}"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = var.cpu
  memory                   = var.memory
  execution_role_arn       = aws_iam_role.execution.arn
  task_role_arn            = aws_iam_role.task.arn

  runtime_platform {
    operating_system_family = "LINUX"
    cpu_architecture        = "X86_64"
  }

  # On the task's own disk, which ends with it; an image's VOLUME says who may write there.
  volume {
    name = "tmp"
  }

  container_definitions = jsonencode([merge(local.own_check, {
    name        = var.name
    image       = "${var.repository_url}:unreleased"
    essential   = true
    stopTimeout = var.stop_timeout

    # The images' own user, said here too, so that no image can run as root.
    user = "10001:10001"
    # What a process writes outlives neither it nor its task: only /tmp can be written to.
    readonlyRootFilesystem = true
    mountPoints            = [{ sourceVolume = "tmp", containerPath = "/tmp", readOnly = false }]

    portMappings = [for port in var.port[*] : {
      containerPort = port
      hostPort      = port
      protocol      = "tcp"
    }]

    logConfiguration = {
      logDriver = "awslogs"
      options = {
        awslogs-group         = aws_cloudwatch_log_group.this.name
        awslogs-region        = var.region
        awslogs-stream-prefix = "task"
      }
    }
  })])

  tags = var.tags
}

resource "aws_ecs_service" "this" {
  name            = var.name
  cluster         = var.cluster_arn
  task_definition = aws_ecs_task_definition.template.arn
  desired_count   = 0

  dynamic "capacity_provider_strategy" {
    for_each = local.capacity

    content {
      capacity_provider = capacity_provider_strategy.key
      base              = capacity_provider_strategy.value.base
      weight            = capacity_provider_strategy.value.weight
    }
  }

  # Lets a new capacity strategy roll out; without it the provider replaces the service.
  force_new_deployment = true

  deployment_minimum_healthy_percent = 100
  deployment_maximum_percent         = 200
  health_check_grace_period_seconds  = local.has_clients ? var.health_grace_seconds : null # else refused by ECS
  wait_for_steady_state              = false

  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  network_configuration {
    subnets          = var.subnet_ids
    security_groups  = [var.security_group_id]
    assign_public_ip = false
  }

  dynamic "load_balancer" {
    for_each = local.has_clients ? ["blue"] : []

    content {
      target_group_arn = aws_lb_target_group.this[load_balancer.value].arn
      container_name   = var.name
      container_port   = var.port
    }
  }

  enable_ecs_managed_tags = true
  propagate_tags          = "SERVICE"
  tags                    = var.tags

  # Terraform owns the shape, a release owns the running revision, how it takes over and the first
  # count, autoscaling owns the count from then on.
  lifecycle {
    ignore_changes = [task_definition, desired_count, load_balancer, alarms]
  }

  # ECS takes a target group only once a listener sends to it, and starts no task
  # that may not pull or log.
  depends_on = [aws_lb_listener_rule.this, aws_iam_role_policy.execution]
}
