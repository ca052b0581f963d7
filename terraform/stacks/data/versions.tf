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

locals {
  tags = {
    Environment = var.environment
    Service     = "data"
    Owner       = var.owner
    CostCenter  = var.cost_center
    ManagedBy   = "terraform"
    Stack       = "data"
  }
}

provider "aws" {
  region              = var.region
  allowed_account_ids = [var.account_id]

  # Marked by hand, and taken away by hand (playbooks/teardown.yml).
  ignore_tags {
    keys = ["keep-awake-until"]
  }

  default_tags {
    tags = local.tags
  }
}

# Copies go to another region. Where there is none, nothing is made with this.
provider "aws" {
  alias               = "standby"
  region              = coalesce(var.standby_region, var.region)
  allowed_account_ids = [var.account_id]

  default_tags {
    tags = local.tags
  }
}
