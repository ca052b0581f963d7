terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "5.100.0"
    }
  }

  # Which bucket, key and lock table is said at init: they belong to the environment.
  backend "s3" {}
}

provider "aws" {
  region              = var.region
  allowed_account_ids = [var.account_id]

  # Marked by hand, and taken away by hand (playbooks/teardown.yml).
  ignore_tags {
    keys = ["keep-awake-until"]
  }

  default_tags {
    tags = {
      Environment = var.environment
      Service     = "platform"
      Owner       = var.owner
      CostCenter  = var.cost_center
      ManagedBy   = "terraform"
      Stack       = "platform"
    }
  }
}
