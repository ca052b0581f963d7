mock_provider "aws" {}

variables {
  name                    = "drydock-dev"
  subnet_ids              = ["subnet-1", "subnet-2"]
  security_group_id       = "sg-cache"
  kms_key_arn             = "arn:aws:kms:us-east-1:123456789012:key/data"
  engine                  = "valkey"
  engine_version          = "8.1"
  node_type               = "cache.t4g.micro"
  replicas                = 2
  snapshot_retention_days = 0
  apply_immediately       = false
}

run "replicas_bring_failover" {
  command = plan

  module {
    source = "../../modules/cache"
  }

  assert {
    condition     = aws_elasticache_replication_group.this.num_cache_clusters == 3 && aws_elasticache_replication_group.this.automatic_failover_enabled && aws_elasticache_replication_group.this.multi_az_enabled
    error_message = "two replicas make three nodes in several zones, with automatic failover"
  }

  assert {
    condition     = aws_elasticache_replication_group.this.transit_encryption_enabled && aws_elasticache_replication_group.this.transit_encryption_mode == "required"
    error_message = "clients must speak TLS"
  }

  assert {
    condition     = tobool(aws_elasticache_replication_group.this.at_rest_encryption_enabled) && aws_elasticache_replication_group.this.kms_key_id == "arn:aws:kms:us-east-1:123456789012:key/data"
    error_message = "data at rest must be encrypted with the environment's key"
  }

  assert {
    condition     = aws_elasticache_replication_group.this.auth_token == null
    error_message = "an auth token would stand in the state in clear text"
  }
}

run "one_node_stands_alone" {
  command = plan

  module {
    source = "../../modules/cache"
  }

  variables {
    engine         = "redis"
    engine_version = "7.1"
    replicas       = 0
  }

  assert {
    condition     = aws_elasticache_replication_group.this.num_cache_clusters == 1 && !aws_elasticache_replication_group.this.automatic_failover_enabled && !aws_elasticache_replication_group.this.multi_az_enabled
    error_message = "ElastiCache refuses failover without a replica to fail over to"
  }
}

run "wrong_inputs_are_refused" {
  command = plan

  module {
    source = "../../modules/cache"
  }

  variables {
    name                    = "drydock_dev"
    engine                  = "redis"
    engine_version          = "8.1"
    node_type               = "t4g.micro"
    replicas                = 6
    snapshot_retention_days = 36
  }

  expect_failures = [var.name, var.engine_version, var.node_type, var.replicas, var.snapshot_retention_days]
}

run "an_unknown_engine_is_refused" {
  command = plan

  module {
    source = "../../modules/cache"
  }

  variables {
    engine = "memcached"
  }

  expect_failures = [var.engine]
}
