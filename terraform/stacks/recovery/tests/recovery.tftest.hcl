mock_provider "aws" {
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }

  mock_data "aws_lb_hosted_zone_id" {
    defaults = { id = "ZLB" }
  }

  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/a" }
  }

  mock_resource "aws_globalaccelerator_listener" {
    defaults = { arn = "arn:aws:globalaccelerator::123456789012:accelerator/a/listener/b" }
  }
}

mock_provider "aws" {
  alias = "standby"

  mock_resource "aws_backup_vault" {
    defaults = { arn = "arn:aws:backup:us-west-2:123456789012:backup-vault:drydock-dev-standby" }
  }

  mock_resource "aws_kms_key" {
    defaults = { arn = "arn:aws:kms:us-west-2:123456789012:key/2" }
  }
}

variables {
  environment         = "dev"
  account_id          = "123456789012"
  region              = "us-east-1"
  owner               = "platform"
  cost_center         = "trading"
  kms_key_arn         = "arn:aws:kms:us-east-1:123456789012:key/1"
  vpc_id              = "vpc-1"
  load_balancer       = { dns_name = "a.us-east-1.elb.amazonaws.com", arn = "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/a/1" }
  backup              = { daily_days = 7 }
  record_version_days = 30
  https               = true
}

run "the_least_is_backups_in_one_region" {
  assert {
    condition     = output.standby_vault_arn == null && output.standby_key_arn == null && output.records_replica_bucket == null && output.record == null && output.accelerator_addresses == null
    error_message = "without a standby region, a zone or an accelerator nothing of them may be made"
  }

  assert {
    condition     = output.objectives == { backups_rpo_minutes = 1800, records_rpo_minutes = null, failover_seconds = null }
    error_message = "what is not made for must not be promised"
  }
}

run "all_of_it" {
  variables {
    standby_region        = "us-west-2"
    standby_load_balancer = { dns_name = "b.us-west-2.elb.amazonaws.com", arn = "arn:aws:elasticloadbalancing:us-west-2:123456789012:loadbalancer/app/a/2" }
    backup                = { daily_days = 35, weekly_days = 365, copy_days = 14, lock = true }
    dns                   = { zone = "dev.example.com" }
    accelerator           = true
    force_destroy         = true
  }

  assert {
    condition     = output.objectives == { backups_rpo_minutes = 1800, records_rpo_minutes = 15, failover_seconds = 90 }
    error_message = "the objectives must be those of what is made"
  }

  assert {
    condition     = output.standby_key_arn == "arn:aws:kms:us-west-2:123456789012:key/2" && output.standby_vault_arn == "arn:aws:backup:us-west-2:123456789012:backup-vault:drydock-dev-standby"
    error_message = "key and vault of the copies must be made in the standby region"
  }

  assert {
    condition     = output.record == "www.dev.example.com" && keys(output.health_check_ids) == ["primary", "secondary"]
    error_message = "the zone must have its name, with both ways watched"
  }
}

run "wrong_inputs_are_refused" {
  command = plan

  variables {
    vpc_id         = "10.0.0.0/16"
    standby_region = "us-east-1"
  }

  expect_failures = [var.vpc_id, var.standby_region]
}

run "a_standby_region_takes_copies" {
  command = plan

  variables {
    standby_region = "us-west-2"
  }

  expect_failures = [var.backup]
}

run "a_standby_needs_its_region" {
  command = plan

  variables {
    standby_load_balancer = { dns_name = "b", arn = "arn:b" }
  }

  expect_failures = [var.standby_load_balancer]
}
