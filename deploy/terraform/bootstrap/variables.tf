variable "aws_region" {
  description = "Where the state lies and where everything will be made. The roles of GitHub are good for this region only."
  type        = string
  nullable    = false
  default     = "us-east-1"

  validation {
    condition     = can(regex("^(us|ca|mx|sa|eu|il|me|af|ap)-(north|south|east|west|central|northeast|northwest|southeast|southwest)-[1-9]$", var.aws_region))
    error_message = "aws_region must be a region of AWS's public partition such as us-east-1 (not a zone such as us-east-1a). `aws account list-regions` lists yours."
  }
}

variable "app_name" {
  description = "Prefix of every name; the same as in the main configuration."
  type        = string
  nullable    = false
  default     = "memories"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,20}[a-z0-9]$", var.app_name)) && !strcontains(var.app_name, "--")
    error_message = "app_name must have 3 to 22 characters: small letters, digits, single hyphens; first a letter, and no hyphen at the end (the rules of S3, RDS and IAM together)."
  }
}

variable "github_repository" {
  # Since 2026-07-15 GitHub signs new, renamed and transferred repositories with their numbers. Yours with them:
  # gh api repos/OWNER/NAME --jq '"\(.owner.login)@\(.owner.id)/\(.name)@\(.id)"'
  description = "The only repository that is trusted, as GitHub signs it, since AWS compares letter by letter: owner@1234/name@5678 with the numbers of both, or owner/name if the repository is older than 2026-07-15."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9](-?[A-Za-z0-9]){0,38}(/[A-Za-z0-9._-]{1,100}|@[1-9][0-9]*/[A-Za-z0-9._-]{1,100}@[1-9][0-9]*)$", var.github_repository)) && !endswith(var.github_repository, ".git")
    error_message = "github_repository must be owner/name, such as octocat/memories, or with both numbers, such as octocat@1234/memories@5678: no https://github.com/, no .git, and no wildcards."
  }
}

variable "github_oidc_provider_exists" {
  description = "Whether the account trusts GitHub's tokens already (an account holds one such provider, for all its repositories)."
  type        = bool
  nullable    = false
  default     = false
}

variable "state_bucket_name" {
  description = "Where Terraform's state lies. Empty: <app_name>-terraform-<account>."
  type        = string
  nullable    = false
  default     = ""

  validation {
    condition     = var.state_bucket_name == "" || can(regex("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", var.state_bucket_name))
    error_message = "state_bucket_name must have 3 to 63 small letters, digits and hyphens (no dots: TLS knows no certificate for them), or be empty."
  }
}

variable "state_force_destroy" {
  description = "Whether a destroy deletes the state and all its versions too. Set it only when the main configuration is destroyed."
  type        = bool
  nullable    = false
  default     = false
}
