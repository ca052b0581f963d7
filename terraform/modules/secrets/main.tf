# Secrets without their secret: Terraform says what belongs to one (a user name, a host), and the
# function that rotates it makes the password, at once and from then on. So no plan and no state
# ever holds a password; what is written here is written once and not looked at again.

resource "aws_secretsmanager_secret" "this" {
  #checkov:skip=CKV2_AWS_57:module secret_rotation rotates them, which this check does not see from here
  for_each = var.secrets

  name                    = "${var.prefix}/${each.key}"
  description             = each.value.description
  kms_key_id              = var.kms_key_arn
  recovery_window_in_days = var.recovery_days
}

resource "aws_secretsmanager_secret_version" "this" {
  for_each = var.secrets

  secret_id                = aws_secretsmanager_secret.this[each.key].id
  secret_string_wo         = jsonencode(each.value.fields)
  secret_string_wo_version = 1
}
