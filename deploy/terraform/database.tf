resource "aws_db_subnet_group" "this" {
  name       = var.app_name
  subnet_ids = aws_subnet.database[*].id
}

resource "aws_db_parameter_group" "this" {
  name   = "${var.app_name}-postgres16"
  family = "postgres16"

  # PostgreSQL 15 and later have it so by default: written down, so that it stays.
  parameter {
    name  = "rds.force_ssl"
    value = "1"
  }
}

resource "aws_db_instance" "this" {
  identifier     = var.app_name
  engine         = "postgres"
  engine_version = "16" # AWS chooses the minor version, and raises it
  instance_class = var.db_instance_class

  db_name             = local.database
  username            = local.database
  password_wo         = var.db_password # write-only: sent, and in no state
  password_wo_version = var.secrets_version

  # gp2, for the free tier names it and 20 GB of it; gp3 costs the same otherwise. It does not grow by itself, since
  # nobody would notice the bill: the alarm `database-disk` says when it is time.
  storage_type          = "gp2"
  allocated_storage     = var.db_allocated_storage
  max_allocated_storage = 0
  storage_encrypted     = true # with the key of AWS: one of our own is 1 USD a month

  # One zone: a second one doubles the price. A failure of the zone is hours without the service, not a loss of what
  # lies on the disk; recordings that come in that time are refused, not lost (the client has them still).
  multi_az               = false
  db_subnet_group_name   = aws_db_subnet_group.this.name
  vpc_security_group_ids = [aws_security_group.database.id]
  publicly_accessible    = var.db_publicly_accessible
  parameter_group_name   = aws_db_parameter_group.this.name

  # No backups by default, for they are not free of charge everywhere, and AWS refuses longer ones on the free plan
  # (FreeTierRestrictionError). What that means: a broken disk or a wrong DELETE is final. docs/operations.md: pg_dump.
  backup_retention_period = var.db_backup_retention_days
  # With a day of retention or more, deleting the database deletes its backups too, unless a last snapshot is wanted.
  delete_automated_backups  = true
  skip_final_snapshot       = !var.db_final_snapshot
  final_snapshot_identifier = var.db_final_snapshot ? "${var.app_name}-final-${local.bucket_suffix}" : null
  deletion_protection       = var.db_deletion_protection
  copy_tags_to_snapshot     = true

  auto_minor_version_upgrade = true
  maintenance_window         = "sun:08:00-sun:09:00" # UTC: Sunday, early in America
  # Version 16 ends in 2029. AWS then upgrades it, where it otherwise would bill "extended support" for the old one.
  engine_lifecycle_support = "open-source-rds-extended-support-disabled"

  # A person has approved the plan: what it says is done now, not on Sunday. A new class restarts the database.
  apply_immediately = true

  # Logs of queries may hold what people said, so they are not exported. Performance Insights would be paid for.
  enabled_cloudwatch_logs_exports = []
  performance_insights_enabled    = false
}

locals {
  database = "memories" # name of the database and of its user: part of no other name, so app_name has no say in it
}
