# What the stand-in of AWS (moto) cannot do. Terraform lays this file over the configuration in a scratch copy; the real
# one never sees it. Anything else that a second plan would change is drift, and fails the test.

# --- moto never gives the answer that the provider waits for ---

resource "aws_budgets_budget" "monthly" {
  count = 0
}

resource "aws_sqs_queue_redrive_allow_policy" "dead" {
  count = 0
}

# --- moto forgets, or tells in other words, what it was told ---

resource "aws_db_instance" "this" {
  lifecycle {
    ignore_changes = [engine_lifecycle_support]
  }
}

resource "aws_db_parameter_group" "this" {
  lifecycle {
    ignore_changes = [parameter]
  }
}

resource "aws_lambda_event_source_mapping" "worker" {
  lifecycle {
    ignore_changes = [function_name]
  }
}

resource "aws_lambda_function" "this" {
  lifecycle {
    ignore_changes = [image_uri, image_config]
  }
}

resource "aws_sqs_queue" "memories" {
  lifecycle {
    ignore_changes = [redrive_policy]
  }
}

resource "aws_vpc_security_group_egress_rule" "functions_database" {
  lifecycle {
    ignore_changes = [description]
  }
}

resource "aws_vpc_security_group_egress_rule" "host_database" {
  lifecycle {
    ignore_changes = [description]
  }
}

resource "aws_vpc_security_group_ingress_rule" "database_functions" {
  lifecycle {
    ignore_changes = [description]
  }
}

resource "aws_vpc_security_group_ingress_rule" "database_host" {
  lifecycle {
    ignore_changes = [description]
  }
}

resource "aws_vpc_security_group_ingress_rule" "host_nat" {
  lifecycle {
    ignore_changes = [description]
  }
}

resource "aws_instance" "host" {
  lifecycle {
    ignore_changes = [ami, user_data, vpc_security_group_ids]
  }
}
