# Tells a topic, in a sentence, of events that AWS reports.

resource "aws_cloudwatch_event_rule" "this" {
  for_each = var.notices

  name          = "${var.name}-${each.key}"
  description   = each.value.description
  event_pattern = each.value.pattern
}

resource "aws_cloudwatch_event_target" "this" {
  for_each = var.notices

  rule      = aws_cloudwatch_event_rule.this[each.key].name
  target_id = "topic"
  arn       = var.topic_arn

  input_transformer {
    input_paths = merge({ account = "$.account", region = "$.region", time = "$.time" }, each.value.paths)
    # A JSON string: what stands between the quotes reaches the reader.
    input_template = jsonencode("${each.value.description}. ${each.value.sentence} Account <account>, <region>, <time>.")
  }
}
