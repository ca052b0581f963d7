mock_provider "aws" {}

variables {
  name       = "drydock-dev"
  region     = "us-east-1"
  alarm_arns = ["arn:aws:cloudwatch:us-east-1:123456789012:alarm:b", "arn:aws:cloudwatch:us-east-1:123456789012:alarm:a"]

  sections = [
    {
      title = "hello"
      widgets = [
        {
          title       = "Errors"
          unit        = "percent"
          expressions = { share = "100 * FILL(errors, 0) / requests" }
          limits      = { alarm = 5 }
          metrics = [
            { id = "errors", label = "5xx", namespace = "AWS/ApplicationELB", name = "HTTPCode_Target_5XX_Count", stat = "Sum", dimensions = { LoadBalancer = "app/a/1" }, visible = false },
            { id = "requests", label = "requests", namespace = "AWS/ApplicationELB", name = "RequestCount", stat = "Sum", dimensions = { LoadBalancer = "app/a/1" }, visible = false },
          ]
        },
        { title = "two", unit = "s", metrics = [] },
        { title = "three", unit = "s", metrics = [] },
        { title = "four", unit = "s", metrics = [] },
      ]
    },
    { title = "Cache", widgets = [{ title = "five", unit = "s", metrics = [] }] },
  ]
}

run "widgets_are_laid_out_without_overlap" {
  module {
    source = "../../modules/dashboard"
  }

  assert {
    condition = [
      for widget in jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets : "${widget.type} ${widget.x} ${widget.y} ${widget.width} ${widget.height}"
      ] == [
      "alarm 0 0 24 3",
      "text 0 3 24 1", "text 0 16 24 1",
      "metric 0 4 8 6", "metric 8 4 8 6", "metric 16 4 8 6", "metric 0 10 8 6",
      "metric 0 17 8 6",
    ]
    error_message = "three graphs stand in a row, each section under its heading, all below the alarms"
  }

  assert {
    condition = [
      for metric in jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets[3].properties.metrics : jsonencode(metric)
      ] == [
      jsonencode(["AWS/ApplicationELB", "HTTPCode_Target_5XX_Count", "LoadBalancer", "app/a/1", { id = "errors", stat = "Sum", label = "5xx", visible = false }]),
      jsonencode(["AWS/ApplicationELB", "RequestCount", "LoadBalancer", "app/a/1", { id = "requests", stat = "Sum", label = "requests", visible = false }]),
      jsonencode([{ id = "share", expression = "100 * FILL(errors, 0) / requests", label = "Errors" }]),
    ]
    error_message = "metrics and math must be written as CloudWatch reads them"
  }

  assert {
    condition     = jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets[3].properties.annotations.horizontal == [{ label = "alarm", value = 5 }]
    error_message = "the alarm's threshold must be seen in the graph"
  }
}

run "ambiguous_ids_are_refused" {
  command = plan

  module {
    source = "../../modules/dashboard"
  }

  variables {
    name = "drydock dev"
    sections = [{ title = "a", widgets = [{ title = "b", unit = "s", metrics = [
      { id = "m", label = "x", namespace = "n", name = "x", stat = "Sum", dimensions = {} },
      { id = "m", label = "y", namespace = "n", name = "y", stat = "Sum", dimensions = {} },
    ] }] }]
  }

  expect_failures = [var.name, var.sections]
}
