# A machine that was made for another purpose is not kept. Applied, so that there is something to keep.

mock_provider "aws" {
  source = "./tests/mocks"
}

run "a_machine_that_is_the_nat_only" {
  variables {
    api_runtime = "lambda"
  }

  assert {
    condition     = !strcontains(aws_instance.host[0].user_data, "docker")
    error_message = "It has nothing to run the API with."
  }
}

run "is_replaced_when_the_api_comes_to_it" {
  variables {
    api_runtime = "both"
  }

  assert {
    condition     = strcontains(aws_instance.host[0].user_data, "docker")
    error_message = "The old one could not roll: it never got Docker."
  }
}

run "and_kept_while_nothing_of_that_changes" {
  variables {
    api_runtime = "ec2"
    domain_name = "memories.example.org"
  }

  assert {
    condition     = !strcontains(aws_instance.host[0].user_data, "memories.example.org")
    error_message = "What changes later comes by the document, and ends no machine."
  }
}
