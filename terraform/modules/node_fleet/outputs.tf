output "name" {
  description = "Name of the Auto Scaling group."
  value       = aws_autoscaling_group.this.name
}

output "arn" {
  description = "ARN of the Auto Scaling group."
  value       = aws_autoscaling_group.this.arn
}

output "security_group_id" {
  description = "Security group of the nodes."
  value       = aws_security_group.node.id
}

output "launch_template_id" {
  description = "Launch template of the nodes."
  value       = aws_launch_template.this.id
}

output "drain_hook" {
  description = "Lifecycle hook that waits for a node's end."
  value       = aws_autoscaling_lifecycle_hook.drain.name
}

output "image_name" {
  description = "Name of the image that the next node starts from."
  value       = data.aws_ami.this.name
}
