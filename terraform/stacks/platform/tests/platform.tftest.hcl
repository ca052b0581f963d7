mock_provider "aws" {
  mock_resource "aws_lb" {
    defaults = { arn = "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/drydock-dev/1" }
  }
}

variables {
  environment        = "dev"
  account_id         = "123456789012"
  region             = "us-east-1"
  owner              = "platform"
  cost_center        = "trading"
  vpc_id             = "vpc-1"
  public_subnet_ids  = ["subnet-1", "subnet-2"]
  private_subnet_ids = ["subnet-3", "subnet-4"]
  security_group_ids = { load_balancer = "sg-1", workload = "sg-2", database = "sg-3", cache = "sg-4" }
  kms_key_arn        = "arn:aws:kms:us-east-1:123456789012:key/data"
  allow_http         = true
  log_retention_days = 7

  workloads = {
    hello = {
      path_patterns = ["/*"]
      priority      = 1000
      port          = 8080
      health_path   = "/health"
    }
    trading_api = {
      path_patterns = ["/api/trading", "/api/trading/*"]
      priority      = 10
      port          = 8080
      health_path   = "/health"
      database      = true
    }
  }
}

run "each_workload_is_put_out" {
  command = plan

  assert {
    condition     = output.load_balancer_name == "drydock-dev" && output.cluster_name == "drydock-dev"
    error_message = "load balancer and cluster carry the environment's name"
  }

  assert {
    condition = { for name, workload in output.workloads : name => "${workload.repository_name} ${workload.service_name} ${workload.container_name} ${workload.task_family} ${workload.log_group_name}" } == {
      hello       = "drydock-dev/hello hello hello drydock-dev-hello /drydock-dev/hello"
      trading_api = "drydock-dev/trading_api trading_api trading_api drydock-dev-trading_api /drydock-dev/trading_api"
    }
    error_message = "a release finds repository, service, container, family and log group by these names"
  }

  assert {
    condition     = { for name, workload in output.workloads : name => workload.database } == { hello = false, trading_api = true }
    error_message = "runbooks look at the database of workloads that have one, and of no other"
  }
}

run "nothing_is_paid_for_unasked" {
  command = plan

  assert {
    condition     = output.firewall_arn == null
    error_message = "the firewall is made only where an environment asks for it"
  }
}

run "the_first_count_lies_within_the_limits" {
  command = plan

  variables {
    workloads = {
      hello = {
        path_patterns = ["/*"]
        priority      = 1000
        port          = 8080
        health_path   = "/health"
        min_count     = 2
        max_count     = 4
        desired_count = 1
      }
    }
  }

  expect_failures = [var.workloads]
}

run "workloads_without_clients_need_no_place_at_the_load_balancer" {
  command = plan

  variables {
    workloads = {
      hello    = { path_patterns = ["/*"], priority = 1000, port = 8080, health_path = "/health" }
      consumer = { port = 9090, health_command = ["CMD", "true"] }
      listener = { health_command = ["CMD", "true"] }
    }
  }

  assert {
    condition     = { for name, workload in output.workloads : name => workload.clients } == { hello = true, consumer = false, listener = false } && output.workloads.consumer.target_group_arn == null
    error_message = "a release must be told which workloads have no clients"
  }
}

run "a_workload_that_nobody_checks_is_refused" {
  command = plan

  variables {
    workloads = { consumer = { port = 8080 } }
  }

  expect_failures = [var.workloads]
}

run "paths_need_a_place_at_the_load_balancer" {
  command = plan

  variables {
    workloads = { hello = { path_patterns = ["/*"], health_command = ["CMD", "true"] } }
  }

  expect_failures = [var.workloads]
}

run "workloads_must_not_claim_the_same" {
  command = plan

  variables {
    public_subnet_ids  = ["subnet-1"]
    private_subnet_ids = []
    vpc_id             = "drydock-dev"

    workloads = {
      hello = {
        path_patterns = ["/*"]
        priority      = 10
        port          = 8080
        health_path   = "/health"
      }
      shop = {
        path_patterns = ["/*"]
        priority      = 10
        port          = 8080
        health_path   = "/health"
      }
    }
  }

  expect_failures = [var.workloads, var.public_subnet_ids, var.private_subnet_ids, var.vpc_id]
}
