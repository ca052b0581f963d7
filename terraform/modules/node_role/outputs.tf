output "arn" {
  description = "ARN of the role."
  value       = aws_iam_role.this.arn
}

output "instance_profile_arn" {
  description = "Instance profile that hands the role to the nodes."
  value       = aws_iam_instance_profile.this.arn
}
