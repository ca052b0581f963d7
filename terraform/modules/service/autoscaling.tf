locals {
  released = aws_ecs_service.this.desired_count > 0

  # How far the CPU can go beyond the burst's threshold; in its upper half twice as much is added.
  burst_room = try(100 - var.burst.cpu, 0)
}

resource "aws_appautoscaling_target" "this" {
  service_namespace  = "ecs"
  scalable_dimension = "ecs:service:DesiredCount"
  resource_id        = "service/${var.cluster_name}/${aws_ecs_service.this.name}"
  max_capacity       = var.max_count

  # Application Auto Scaling brings a service up to its floor at once, and before the first release
  # there is no image to run. So the floor of a service without tasks is none; the release that
  # starts it raises the floor, and this then holds it.
  min_capacity = local.released ? var.min_count : 0

  tags = var.tags
}

resource "aws_appautoscaling_policy" "cpu" {
  name               = "${var.prefix}-${var.name}-cpu"
  policy_type        = "TargetTrackingScaling"
  service_namespace  = aws_appautoscaling_target.this.service_namespace
  scalable_dimension = aws_appautoscaling_target.this.scalable_dimension
  resource_id        = aws_appautoscaling_target.this.resource_id

  target_tracking_scaling_policy_configuration {
    target_value       = 70
    scale_out_cooldown = 60
    scale_in_cooldown  = 300 # slow, so that a lull does not cost the next burst

    predefined_metric_specification {
      predefined_metric_type = "ECSServiceAverageCPUUtilization"
    }
  }
}

# A burst that would outrun the tracking above: many tasks at once, after a single minute.
resource "aws_appautoscaling_policy" "burst" {
  count = length(var.burst[*])

  name               = "${var.prefix}-${var.name}-burst"
  policy_type        = "StepScaling"
  service_namespace  = aws_appautoscaling_target.this.service_namespace
  scalable_dimension = aws_appautoscaling_target.this.scalable_dimension
  resource_id        = aws_appautoscaling_target.this.resource_id

  step_scaling_policy_configuration {
    adjustment_type          = "PercentChangeInCapacity"
    metric_aggregation_type  = "Average"
    min_adjustment_magnitude = 1
    cooldown                 = 60

    step_adjustment {
      metric_interval_lower_bound = 0
      metric_interval_upper_bound = local.burst_room / 2
      scaling_adjustment          = var.burst.add_percent
    }

    step_adjustment {
      metric_interval_lower_bound = local.burst_room / 2
      scaling_adjustment          = 2 * var.burst.add_percent
    }
  }
}

# It wakes nobody, so it needs no runbook: the policy is its only listener.
resource "aws_cloudwatch_metric_alarm" "burst" {
  count = length(var.burst[*])

  alarm_name        = "${var.prefix}-${var.name}-burst"
  alarm_description = "Adds tasks to ${var.name}; for autoscaling alone."

  namespace   = "AWS/ECS"
  metric_name = "CPUUtilization"
  dimensions  = { ClusterName = var.cluster_name, ServiceName = aws_ecs_service.this.name }
  statistic   = "Average"
  period      = 60

  comparison_operator = "GreaterThanThreshold"
  threshold           = var.burst.cpu
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_appautoscaling_policy.burst[0].arn]

  tags = var.tags
}

# Limits by the clock, such as more tasks when the market opens. What one sets holds until the
# next does; a provision in between brings the workload's own limits back. Before the first
# release there is no image that a raised floor could start.
resource "aws_appautoscaling_scheduled_action" "this" {
  for_each = local.released ? var.schedules : {}

  name               = "${var.prefix}-${var.name}-${each.key}"
  service_namespace  = aws_appautoscaling_target.this.service_namespace
  scalable_dimension = aws_appautoscaling_target.this.scalable_dimension
  resource_id        = aws_appautoscaling_target.this.resource_id
  schedule           = each.value.schedule
  timezone           = each.value.timezone

  scalable_target_action {
    min_capacity = each.value.min_count
    max_capacity = each.value.max_count
  }
}
