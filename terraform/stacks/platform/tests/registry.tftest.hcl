mock_provider "aws" {}

variables {
  name        = "drydock-dev/trading_api"
  kms_key_arn = "arn:aws:kms:us-east-1:123456789012:key/data"
}

run "images_are_scanned_immutable_and_few" {
  command = plan

  module {
    source = "../../modules/registry"
  }

  assert {
    condition     = aws_ecr_repository.this.image_tag_mutability == "IMMUTABLE" && aws_ecr_repository.this.image_scanning_configuration[0].scan_on_push
    error_message = "a tag must always mean the same image, and each image be scanned"
  }

  assert {
    condition     = jsondecode(aws_ecr_lifecycle_policy.this.policy).rules[0].selection.countNumber == 10
    error_message = "the last ten images must be kept"
  }

  assert {
    condition     = !aws_ecr_repository.this.force_delete
    error_message = "a repository with images must not be deleted unless told so"
  }
}

run "wrong_inputs_are_refused" {
  command = plan

  module {
    source = "../../modules/registry"
  }

  variables {
    name        = "Drydock/Trading"
    keep_images = 1
  }

  expect_failures = [var.name, var.keep_images]
}

run "an_unknown_insight_is_refused" {
  command = plan

  module {
    source = "../../modules/cluster"
  }

  variables {
    container_insights = "on"
    log_retention_days = 7
  }

  expect_failures = [var.container_insights]
}
