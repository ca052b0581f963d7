variable "name" {
  description = "Name of the dashboard."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{1,255}$", var.name))
    error_message = "name is \"${var.name}\", which CloudWatch refuses for a dashboard: use up to 255 letters, digits, hyphens and underscores."
  }
}

variable "region" {
  description = "Region of the metrics."
  type        = string
  nullable    = false
}

variable "alarm_arns" {
  description = "Alarms whose states stand on top."
  type        = list(string)
  nullable    = false

  validation {
    condition     = length(var.alarm_arns) <= 100
    error_message = "alarm_arns has ${length(var.alarm_arns)} entries, but a widget shows 100 alarms at most: leave out those that a composite alarm sums up."
  }
}

variable "sections" {
  description = <<-EOT
    Rows of graphs under a heading, from top to bottom.
    metrics: what a graph draws, or, with visible = false, only reckons with. expressions: metric math by id
    over the metrics' ids, drawn under the graph's title. limits: lines across the graph by label.
  EOT
  type = list(object({
    title = string
    widgets = list(object({
      title       = string
      unit        = string
      expressions = optional(map(string), {})
      limits      = optional(map(number), {})
      metrics = list(object({
        id         = string
        label      = string
        namespace  = string
        name       = string
        dimensions = map(string)
        stat       = string
        visible    = optional(bool, true)
      }))
    }))
  }))
  nullable = false

  validation {
    condition = alltrue(flatten([
      for section in var.sections : [for widget in section.widgets : length(distinct(widget.metrics[*].id)) == length(widget.metrics)]
    ]))
    error_message = "sections hold a graph in which two metrics have the same id, so its expressions would be ambiguous: give each metric of a graph an id of its own."
  }
}
