locals {
  columns       = 3
  width         = 24 / local.columns # a dashboard is 24 units wide
  height        = 6
  alarms_height = 2 + ceil(length(var.alarm_arns) / 4) # a row of the widget holds four

  # Height of each section with its heading, and where each begins.
  heights = [for section in var.sections : 1 + local.height * ceil(length(section.widgets) / local.columns)]
  tops    = [for index in range(length(var.sections)) : local.alarms_height + sum(concat([0], slice(local.heights, 0, index)))]

  alarms = {
    type       = "alarm"
    x          = 0
    y          = 0
    width      = 24
    height     = local.alarms_height
    properties = { title = "Alarms", alarms = sort(var.alarm_arns) }
  }

  headings = [for index, section in var.sections : {
    type       = "text"
    x          = 0
    y          = local.tops[index]
    width      = 24
    height     = 1
    properties = { markdown = "## ${section.title}" }
  }]

  graphs = flatten([for index, section in var.sections : [for position, widget in section.widgets : {
    type   = "metric"
    x      = position % local.columns * local.width
    y      = local.tops[index] + 1 + floor(position / local.columns) * local.height
    width  = local.width
    height = local.height
    properties = {
      title  = widget.title
      view   = "timeSeries"
      region = var.region
      period = 60
      yAxis  = { left = { min = 0, label = widget.unit, showUnits = false } }

      metrics = concat(
        [for metric in widget.metrics : concat(
          [metric.namespace, metric.name],
          flatten([for name, value in metric.dimensions : [name, value]]),
          [{ id = metric.id, stat = metric.stat, label = metric.label, visible = metric.visible }],
        )],
        [for id, expression in widget.expressions : [{ id = id, expression = expression, label = widget.title }]],
      )

      annotations = { horizontal = [for label, value in widget.limits : { label = label, value = value }] }
    }
  }]])
}

resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = var.name
  dashboard_body = jsonencode({ widgets = concat([local.alarms], local.headings, local.graphs) })
}
