locals {
  dimensions = { AutoScalingGroupName = aws_autoscaling_group.this.name }
}

# Each node publishes what it answered, under the group's name: the average is one node's load.
resource "aws_autoscaling_policy" "load" {
  name                   = "${var.name}-load"
  autoscaling_group_name = aws_autoscaling_group.this.name
  policy_type            = "TargetTrackingScaling"

  target_tracking_configuration {
    target_value     = var.load.target
    disable_scale_in = !var.load.scale_in

    customized_metric_specification {
      namespace   = var.load.namespace
      metric_name = var.load.metric
      statistic   = "Average"

      dynamic "metric_dimension" {
        for_each = local.dimensions

        content {
          name  = metric_dimension.key
          value = metric_dimension.value
        }
      }
    }
  }
}
