mock_provider "aws" {}

variables {
  name        = "drydock-dev"
  kms_key_arn = "arn:aws:kms:us-east-1:123456789012:key/1"
}

run "it_is_encrypted_and_open_to_its_owner" {
  assert {
    condition     = aws_backup_vault.this.kms_key_arn == "arn:aws:kms:us-east-1:123456789012:key/1" && !aws_backup_vault.this.force_destroy
    error_message = "recovery points must be encrypted with the key given, and not go with the vault unasked"
  }

  assert {
    condition     = length(aws_backup_vault_lock_configuration.this) == 0
    error_message = "without lock_days nothing may be locked"
  }
}

run "a_lock_can_be_lifted_by_those_who_may" {
  variables {
    lock_days = 35
  }

  assert {
    condition     = aws_backup_vault_lock_configuration.this[0].min_retention_days == 35
    error_message = "recovery points must be held for lock_days"
  }

  assert {
    condition     = aws_backup_vault_lock_configuration.this[0].changeable_for_days == null
    error_message = "compliance mode can never be undone, so no default may turn it on"
  }
}

run "wrong_inputs_are_refused" {
  command = plan

  variables {
    name      = "drydock dev"
    lock_days = 0
  }

  expect_failures = [var.name, var.lock_days]
}

run "what_is_locked_cannot_be_swept_away" {
  command = plan

  variables {
    lock_days     = 7
    force_destroy = true
  }

  expect_failures = [var.force_destroy]
}
