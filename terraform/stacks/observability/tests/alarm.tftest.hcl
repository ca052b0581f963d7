mock_provider "aws" {}

variables {
  name                = "drydock-dev-hello-5xx"
  summary             = "Requests fail."
  runbook             = "high-5xx"
  topic_arn           = "arn:aws:sns:us-east-1:123456789012:drydock-dev-alarms"
  comparison          = "GreaterThanThreshold"
  threshold           = 5
  datapoints_to_alarm = 2
  evaluation_periods  = 3
  treat_missing_data  = "notBreaching"

  metrics = {
    errors   = { namespace = "AWS/ApplicationELB", name = "HTTPCode_Target_5XX_Count", stat = "Sum", dimensions = { LoadBalancer = "app/drydock-dev/1" } }
    requests = { namespace = "AWS/ApplicationELB", name = "RequestCount", stat = "Sum", dimensions = { LoadBalancer = "app/drydock-dev/1" } }
  }
  expression = "100 * FILL(errors, 0) / requests"
}

run "math_is_compared_and_told" {
  module {
    source = "../../modules/alarm"
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.this.alarm_description == "Requests fail. Runbook: runbooks/high-5xx.yml"
    error_message = "whoever is woken must read what is wrong and which runbook to start"
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.this.alarm_actions == toset([var.topic_arn]) && aws_cloudwatch_metric_alarm.this.ok_actions == toset([var.topic_arn])
    error_message = "both red and green must be told"
  }

  assert {
    condition     = [for query in aws_cloudwatch_metric_alarm.this.metric_query : query.id if query.return_data] == ["result"]
    error_message = "with an expression its result alone is compared with the threshold"
  }

  assert {
    condition     = toset(flatten([for query in aws_cloudwatch_metric_alarm.this.metric_query : query.metric[*].period])) == toset([60])
    error_message = "each metric must be looked at by the minute"
  }
}

run "one_metric_as_it_is" {
  module {
    source = "../../modules/alarm"
  }

  variables {
    expression = null
    metrics    = { latency = { namespace = "AWS/ApplicationELB", name = "TargetResponseTime", stat = "p99", dimensions = { LoadBalancer = "app/drydock-dev/1" } } }
  }

  assert {
    condition     = [for query in aws_cloudwatch_metric_alarm.this.metric_query : "${query.id} ${query.metric[0].stat} ${query.return_data}"] == ["latency p99 true"]
    error_message = "without an expression the one metric is compared with the threshold"
  }
}

run "no_alarm_without_a_runbook" {
  command = plan

  module {
    source = "../../modules/alarm"
  }

  variables {
    runbook = "hope-for-the-best"
  }

  expect_failures = [var.runbook]
}

run "wrong_inputs_are_refused" {
  command = plan

  module {
    source = "../../modules/alarm"
  }

  variables {
    summary             = "Requests fail"
    comparison          = "Greater"
    period              = 45
    datapoints_to_alarm = 4
    treat_missing_data  = "fine"
    metrics             = { result = { namespace = "a", name = "b", stat = "Sum", dimensions = {} } }
  }

  expect_failures = [
    var.summary,
    var.comparison,
    var.period,
    var.datapoints_to_alarm,
    var.treat_missing_data,
    var.metrics,
  ]
}

run "two_metrics_need_an_expression" {
  command = plan

  module {
    source = "../../modules/alarm"
  }

  variables {
    expression = null
  }

  expect_failures = [var.expression]
}

run "a_composite_names_its_runbook_too" {
  module {
    source = "../../modules/composite_alarm"
  }

  variables {
    name   = "drydock-dev-hello-impaired"
    alarms = ["drydock-dev-hello-tasks", "drydock-dev-hello-5xx"]
  }

  assert {
    condition     = aws_cloudwatch_composite_alarm.this.alarm_rule == "ALARM(\"drydock-dev-hello-5xx\") OR ALARM(\"drydock-dev-hello-tasks\")"
    error_message = "any of the alarms must turn it red"
  }

  assert {
    condition     = endswith(aws_cloudwatch_composite_alarm.this.alarm_description, "Runbook: runbooks/high-5xx.yml") && length(aws_cloudwatch_composite_alarm.this.ok_actions) == 1
    error_message = "it must name its runbook and tell when it is over"
  }
}

run "a_composite_of_one_or_without_a_runbook_is_refused" {
  command = plan

  module {
    source = "../../modules/composite_alarm"
  }

  variables {
    name    = "drydock-dev-hello-impaired"
    runbook = "hope-for-the-best"
    summary = "Requests fail"
    alarms  = ["drydock-dev-hello-5xx"]
  }

  expect_failures = [var.runbook, var.summary, var.alarms]
}

run "a_name_that_needs_quoting_is_refused" {
  command = plan

  module {
    source = "../../modules/alarm"
  }

  variables {
    name = "hello 5xx"
  }

  expect_failures = [var.name]
}
