output "subscription_arn" {
  description = "ARN of the subscription."
  value       = aws_ce_anomaly_subscription.this.arn
}
