output "topic_arn" {
  description = "Topic to publish to, known once alarms may publish to it."
  value       = aws_sns_topic.this.arn
  depends_on  = [aws_sns_topic_policy.this]
}
