# What never should reach a workload is stopped at the load balancer: known bad requests by
# AWS's managed rules, and clients that ask too often.

locals {
  # Paths are matched whole, as the load balancer's rules for them do: /rpc and /rpc/…, not /rpcs.
  busy_pattern = "^(${join("|", sort(keys(var.busy_paths)))})(/|$)"
  busy_order   = { for number, path in sort(keys(var.busy_paths)) : path => 11 + number }

  managed = {
    # Requests that no client of ours makes come first, the costlier looks into bodies last.
    AWSManagedRulesAmazonIpReputationList = { priority = 20, count = [] }
    AWSManagedRulesKnownBadInputsRuleSet  = { priority = 30, count = [] } # Log4Shell and the like
    AWSManagedRulesCommonRuleSet          = { priority = 40, count = var.counted_rules }
    AWSManagedRulesSQLiRuleSet            = { priority = 50, count = [] }
  }
}

resource "aws_wafv2_web_acl" "this" {
  #checkov:skip=CKV_AWS_192: false alarm: KnownBadInputs, which stops Log4Shell, is made by the dynamic block
  name        = var.name
  description = "Guards the load balancer"
  scope       = "REGIONAL"

  default_action {
    allow {}
  }

  rule {
    name     = "rate"
    priority = 10

    action {
      block {
        custom_response {
          response_code = 429
        }
      }
    }

    statement {
      rate_based_statement {
        limit                 = var.rate_limit
        evaluation_window_sec = 300
        aggregate_key_type    = "IP"

        # What is busy by nature is counted by itself, below.
        dynamic "scope_down_statement" {
          for_each = length(var.busy_paths) > 0 ? [local.busy_pattern] : []

          content {
            not_statement {
              statement {
                regex_match_statement {
                  regex_string = scope_down_statement.value

                  field_to_match {
                    uri_path {}
                  }

                  text_transformation {
                    priority = 0
                    type     = "NONE"
                  }
                }
              }
            }
          }
        }
      }
    }

    visibility_config {
      cloudwatch_metrics_enabled = true
      metric_name                = "${var.name}-rate"
      sampled_requests_enabled   = true
    }
  }

  dynamic "rule" {
    for_each = var.busy_paths

    content {
      name     = "rate${replace(rule.key, "/", "-")}"
      priority = local.busy_order[rule.key]

      action {
        block {
          custom_response {
            response_code = 429
          }
        }
      }

      statement {
        rate_based_statement {
          limit                 = rule.value.rate_limit
          evaluation_window_sec = 300
          aggregate_key_type    = "IP"

          scope_down_statement {
            regex_match_statement {
              regex_string = "^${rule.key}(/|$)"

              field_to_match {
                uri_path {}
              }

              text_transformation {
                priority = 0
                type     = "NONE"
              }
            }
          }
        }
      }

      visibility_config {
        cloudwatch_metrics_enabled = true
        metric_name                = "${var.name}-rate${replace(rule.key, "/", "-")}"
        sampled_requests_enabled   = true
      }
    }
  }

  dynamic "rule" {
    for_each = local.managed

    content {
      name     = rule.key
      priority = rule.value.priority

      override_action {
        none {}
      }

      statement {
        managed_rule_group_statement {
          vendor_name = "AWS"
          name        = rule.key

          dynamic "rule_action_override" {
            for_each = rule.value.count

            content {
              name = rule_action_override.value

              action_to_use {
                count {}
              }
            }
          }
        }
      }

      visibility_config {
        cloudwatch_metrics_enabled = true
        metric_name                = "${var.name}-${rule.key}"
        sampled_requests_enabled   = true
      }
    }
  }

  visibility_config {
    cloudwatch_metrics_enabled = true
    metric_name                = var.name
    sampled_requests_enabled   = true
  }
}

resource "aws_wafv2_web_acl_association" "this" {
  resource_arn = var.load_balancer_arn
  web_acl_arn  = aws_wafv2_web_acl.this.arn
}

# WAF writes only to groups whose names start like this.
resource "aws_cloudwatch_log_group" "this" {
  name              = "aws-waf-logs-${var.name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

resource "aws_wafv2_web_acl_logging_configuration" "this" {
  resource_arn            = aws_wafv2_web_acl.this.arn
  log_destination_configs = [aws_cloudwatch_log_group.this.arn]

  # Whoever reads the log is not to become the client.
  dynamic "redacted_fields" {
    for_each = ["authorization", "cookie"]

    content {
      single_header {
        name = redacted_fields.value
      }
    }
  }

  # Requests that pass are in the load balancer's own log.
  logging_filter {
    default_behavior = "DROP"

    filter {
      behavior    = "KEEP"
      requirement = "MEETS_ANY"

      condition {
        action_condition {
          action = "BLOCK"
        }
      }

      condition {
        action_condition {
          action = "COUNT"
        }
      }
    }
  }
}
