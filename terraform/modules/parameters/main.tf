# Settings for whoever does not read Terraform's outputs: documents of SSM, functions, people.
resource "aws_ssm_parameter" "this" {
  #checkov:skip=CKV2_AWS_34:addresses and names; secrets are in Secrets Manager
  #checkov:skip=CKV_AWS_337:as above
  for_each = var.parameters

  name        = "${var.path}/${each.key}"
  description = "From stack ${var.stack}"
  type        = "String"
  value       = each.value
}
