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

# Load that comes at the same hours each day is met before it comes. A forecast is to be looked
# at before it is let act.
resource "aws_autoscaling_policy" "forecast" {
  count = var.load.predict == "off" ? 0 : 1

  name                   = "${var.name}-forecast"
  autoscaling_group_name = aws_autoscaling_group.this.name
  policy_type            = "PredictiveScaling"

  predictive_scaling_configuration {
    mode                   = { forecast = "ForecastOnly", act = "ForecastAndScale" }[var.load.predict]
    scheduling_buffer_time = min(3600, var.warmup_seconds) # an hour is the most that AWS starts ahead

    metric_specification {
      target_value = var.load.target

      customized_load_metric_specification {
        metric_data_queries {
          id = "all_nodes"

          metric_stat {
            stat = "Sum"

            metric {
              namespace   = var.load.namespace
              metric_name = var.load.metric

              dynamic "dimensions" {
                for_each = local.dimensions

                content {
                  name  = dimensions.key
                  value = dimensions.value
                }
              }
            }
          }
        }
      }

      customized_scaling_metric_specification {
        metric_data_queries {
          id = "one_node"

          metric_stat {
            stat = "Average"

            metric {
              namespace   = var.load.namespace
              metric_name = var.load.metric

              dynamic "dimensions" {
                for_each = local.dimensions

                content {
                  name  = dimensions.key
                  value = dimensions.value
                }
              }
            }
          }
        }
      }
    }
  }
}
