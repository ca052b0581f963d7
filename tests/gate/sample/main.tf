# A stack of this estate's shape in small, for the gate's tests: real plans of changes to it are
# made by scripts/gate_plans.py.

terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "5.100.0"
    }
  }
}

variable "environment" {
  type = string
}

variable "account_id" {
  type = string
}

variable "allow_from" {
  type    = string
  default = "10.0.0.0/16"
}

provider "aws" {
  region                      = "us-east-1"
  skip_credentials_validation = true
  s3_use_path_style           = true

  default_tags {
    tags = {
      Environment = var.environment
      Service     = "sample"
      Owner       = "platform-team"
      CostCenter  = "trading"
      ManagedBy   = "terraform"
    }
  }
}

locals {
  name = "sample-${var.environment}"

  reader = [{
    Sid      = "ReadTheTable"
    Effect   = "Allow"
    Action   = ["dynamodb:GetItem"]
    Resource = [aws_dynamodb_table.orders.arn]
  }]
}

module "network" {
  source = "./network"

  name       = local.name
  allow_from = { office = var.allow_from }
}

module "store" {
  source = "./store"

  name = local.name
}

resource "aws_kms_key" "data" {
  description             = "Data of ${local.name}"
  enable_key_rotation     = true
  deletion_window_in_days = 30
}

resource "aws_db_subnet_group" "this" {
  name       = local.name
  subnet_ids = module.network.subnet_ids
}

resource "aws_db_instance" "orders" {
  identifier                  = local.name
  engine                      = "postgres"
  engine_version              = "17.4"
  instance_class              = "db.t4g.micro"
  allocated_storage           = 20
  storage_encrypted           = true
  kms_key_id                  = aws_kms_key.data.arn
  username                    = "orders"
  manage_master_user_password = true
  db_subnet_group_name        = aws_db_subnet_group.this.name
  vpc_security_group_ids      = [module.network.group_ids["database"]]
  publicly_accessible         = false
  backup_retention_period     = 7
  deletion_protection         = true
  skip_final_snapshot         = false
  final_snapshot_identifier   = "${local.name}-final"
  apply_immediately           = true
}

resource "aws_dynamodb_table" "orders" {
  name                        = local.name
  billing_mode                = "PAY_PER_REQUEST"
  hash_key                    = "id"
  deletion_protection_enabled = true

  attribute {
    name = "id"
    type = "S"
  }

  point_in_time_recovery {
    enabled = true
  }
}

resource "aws_kinesis_stream" "trades" {
  name             = local.name
  shard_count      = 1
  retention_period = 48
  encryption_type  = "KMS"
  kms_key_id       = aws_kms_key.data.arn
}

resource "aws_cloudwatch_log_group" "tasks" {
  name              = "/${local.name}/tasks"
  retention_in_days = 30
}

resource "aws_sns_topic" "news" {
  name              = local.name
  kms_master_key_id = aws_kms_key.data.arn
}

resource "aws_iam_role" "task" {
  name = "${local.name}-task"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "ecs-tasks.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })
}

resource "aws_iam_role_policy" "task" {
  name   = "read"
  role   = aws_iam_role.task.id
  policy = jsonencode({ Version = "2012-10-17", Statement = local.reader })
}

resource "aws_ecs_task_definition" "web" {
  family                   = local.name
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = 256
  memory                   = 512

  container_definitions = jsonencode([{
    name        = "web"
    image       = "registry.example/web:1"
    user        = "10001:10001"
    environment = [{ name = "LOG_LEVEL", value = "info" }]
    secrets     = [{ name = "DATABASE_PASSWORD", valueFrom = "arn:aws:secretsmanager:us-east-1:123456789012:secret:x" }]

    readonlyRootFilesystem = true
  }])
}
