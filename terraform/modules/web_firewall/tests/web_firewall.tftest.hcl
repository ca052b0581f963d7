mock_provider "aws" {
  mock_resource "aws_wafv2_web_acl" {
    defaults = { arn = "arn:aws:wafv2:us-east-1:123456789012:regional/webacl/drydock-dev/1" }
  }

  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:us-east-1:123456789012:log-group:aws-waf-logs-drydock-dev" }
  }
}

variables {
  name               = "drydock-dev"
  load_balancer_arn  = "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/drydock-dev/1"
  rate_limit         = 2000
  log_retention_days = 30
  kms_key_arn        = "arn:aws:kms:us-east-1:123456789012:key/data"
}

run "bad_requests_and_floods_are_stopped" {
  variables {
    counted_rules = ["SizeRestrictions_BODY"]
  }

  assert {
    condition = alltrue([
      for rule in aws_wafv2_web_acl.this.rule :
      length(rule.action[0].block) == 1 && rule.statement[0].rate_based_statement[0].limit == 2000 && rule.statement[0].rate_based_statement[0].aggregate_key_type == "IP"
      if rule.name == "rate"
    ]) && contains([for rule in aws_wafv2_web_acl.this.rule : rule.name], "rate")
    error_message = "a client that asks too often must be blocked by its address"
  }

  assert {
    condition = toset([
      for rule in aws_wafv2_web_acl.this.rule : rule.statement[0].managed_rule_group_statement[0].name
      if length(rule.statement[0].managed_rule_group_statement) == 1 && try(length(rule.override_action[0].none), 0) == 1
      ]) == toset([
      "AWSManagedRulesAmazonIpReputationList", "AWSManagedRulesCommonRuleSet", "AWSManagedRulesKnownBadInputsRuleSet", "AWSManagedRulesSQLiRuleSet",
    ])
    error_message = "the managed rules must act, not only count"
  }

  assert {
    condition = join(" ", flatten([
      for rule in aws_wafv2_web_acl.this.rule : [for group in rule.statement[0].managed_rule_group_statement : [for one in group.rule_action_override : "${group.name}:${one.name}"]]
    ])) == "AWSManagedRulesCommonRuleSet:SizeRestrictions_BODY"
    error_message = "only the named rule of the common rule set may be let off"
  }

  assert {
    condition     = length(distinct([for rule in aws_wafv2_web_acl.this.rule : rule.priority])) == 5
    error_message = "no two rules may have the same priority"
  }

  assert {
    condition     = aws_wafv2_web_acl_association.this.resource_arn == var.load_balancer_arn && aws_wafv2_web_acl_association.this.web_acl_arn == aws_wafv2_web_acl.this.arn
    error_message = "the firewall must stand before the load balancer"
  }

  assert {
    condition     = startswith(aws_cloudwatch_log_group.this.name, "aws-waf-logs-") && aws_cloudwatch_log_group.this.retention_in_days == 30 && aws_cloudwatch_log_group.this.kms_key_id == var.kms_key_arn
    error_message = "the log must have a name that WAF takes, an end, and a key"
  }

  assert {
    condition     = toset([for field in aws_wafv2_web_acl_logging_configuration.this.redacted_fields : field.single_header[0].name]) == toset(["authorization", "cookie"])
    error_message = "the log must not hold what a client is known by"
  }
}

run "a_busy_path_has_a_count_of_its_own" {
  variables {
    busy_paths = { "/rpc" = { rate_limit = 300000 }, "/api/feed" = { rate_limit = 60000 } }
  }

  assert {
    condition = {
      for rule in aws_wafv2_web_acl.this.rule : rule.statement[0].rate_based_statement[0].scope_down_statement[0].regex_match_statement[0].regex_string => rule.statement[0].rate_based_statement[0].limit
      if startswith(rule.name, "rate-")
    } == { "^/rpc(/|$)" = 300000, "^/api/feed(/|$)" = 60000 }
    error_message = "each busy path, and what is below it, must have its own limit"
  }

  assert {
    condition     = alltrue([for rule in aws_wafv2_web_acl.this.rule : rule.action[0].block[0].custom_response[0].response_code == 429 && rule.statement[0].rate_based_statement[0].aggregate_key_type == "IP" if startswith(rule.name, "rate")])
    error_message = "a client that asks too often must be told so, whatever it asks for"
  }

  assert {
    condition = alltrue([
      for rule in aws_wafv2_web_acl.this.rule :
      rule.statement[0].rate_based_statement[0].limit == 2000 && rule.statement[0].rate_based_statement[0].scope_down_statement[0].not_statement[0].statement[0].regex_match_statement[0].regex_string == "^(/api/feed|/rpc)(/|$)"
      if rule.name == "rate"
    ])
    error_message = "requests to busy paths must not use up the limit of all others"
  }

  assert {
    condition     = length(distinct([for rule in aws_wafv2_web_acl.this.rule : rule.priority])) == 7 && max([for rule in aws_wafv2_web_acl.this.rule : rule.priority if startswith(rule.name, "rate")]...) < 20
    error_message = "floods must be stopped before bodies are looked into, and no two rules may have the same priority"
  }
}

run "a_path_that_is_a_pattern_is_refused" {
  command = plan

  variables {
    busy_paths = { "/rpc/*" = { rate_limit = 300000 } }
  }

  expect_failures = [var.busy_paths]
}

run "a_limit_that_waf_does_not_take_is_refused" {
  command = plan

  variables {
    busy_paths = { "/rpc" = { rate_limit = 1 } }
  }

  expect_failures = [var.busy_paths]
}

run "wrong_inputs_are_refused" {
  command = plan

  variables {
    name          = "drydock.dev"
    rate_limit    = 5
    counted_rules = ["everything"]
  }

  expect_failures = [var.name, var.rate_limit, var.counted_rules]
}
