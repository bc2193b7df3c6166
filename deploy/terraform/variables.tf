# --- what, where -----------------------------------------------------------------------------------------------------

variable "aws_region" {
  description = "Where everything is made. Moving later means a new database: dump, destroy, apply, restore."
  type        = string
  nullable    = false
  default     = "us-east-1"

  validation {
    condition     = can(regex("^(us|ca|mx|sa|eu|il|me|af|ap)-(north|south|east|west|central|northeast|northwest|southeast|southwest)-[1-9]$", var.aws_region))
    error_message = "aws_region must be a region of AWS's public partition such as us-east-1 (not a zone such as us-east-1a). `aws account list-regions` lists yours."
  }
}

variable "app_name" {
  description = "Prefix of every name. One account and region holds several of them side by side."
  type        = string
  nullable    = false
  default     = "memories"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,20}[a-z0-9]$", var.app_name)) && !strcontains(var.app_name, "--")
    error_message = "app_name must have 3 to 22 characters: small letters, digits, single hyphens; first a letter, and no hyphen at the end (the rules of S3, RDS and IAM together)."
  }
}

variable "environment" {
  description = "Value of the tag `environment`."
  type        = string
  nullable    = false
  default     = "production"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,30}$", var.environment))
    error_message = "environment must be a word in small letters, such as production."
  }
}

variable "image_tag" {
  description = "The commit whose images (api-<commit>, lambda-<commit>) the functions are first made of. Later releases are moved by script/deploy-release."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[0-9a-f]{7,40}$", var.image_tag))
    error_message = "image_tag must be a commit (7 to 40 hexadecimal digits, as `git rev-parse HEAD` prints it): what is deployed is never named `latest`."
  }
}

# --- how it runs -----------------------------------------------------------------------------------------------------

variable "api_runtime" {
  description = "Where the API runs: `ec2` (one machine that is also the NAT), `lambda` (the Lambda image behind a Function URL), or `both`."
  type        = string
  nullable    = false
  default     = "ec2"

  validation {
    condition     = contains(["ec2", "lambda", "both"], var.api_runtime)
    error_message = "api_runtime must be ec2, lambda or both."
  }
}

variable "nat" {
  description = "How the functions reach the internet: `instance` (the API's machine, or a t4g.nano when there is none) or `gateway` (about 33 USD a month, and nobody has to look after it)."
  type        = string
  nullable    = false
  default     = "instance"

  validation {
    condition     = contains(["instance", "gateway"], var.nat)
    error_message = "nat must be instance or gateway."
  }
}

variable "architecture" {
  description = "Processor of the machine, of the functions and so of both images: `arm64` or `x86_64`. Choose once: Lambda changes it together with the code only, which Terraform leaves to releases. For the other one, destroy and deploy anew."
  type        = string
  nullable    = false
  default     = "arm64"

  validation {
    condition     = contains(["arm64", "x86_64"], var.architecture)
    error_message = "architecture must be arm64 or x86_64, and the images must be built for it."
  }
}

variable "instance_type" {
  description = "Type of the machine. Empty: t4g.micro for arm64, t3.micro for x86_64; t4g.nano or t3.nano where it is the NAT only (AWS's free plan starts neither: name a micro there). On the classic free tier of us-east-1 only t2.micro is free (architecture x86_64)."
  type        = string
  nullable    = false
  default     = ""

  validation {
    condition     = var.instance_type == "" || can(regex("^[a-z][a-z0-9-]*\\.[a-z0-9]+$", var.instance_type))
    error_message = "instance_type must be empty or a type such as t4g.micro."
  }
  validation {
    condition     = var.instance_type == "" || can(regex("^[a-z]+[0-9]+g", var.instance_type)) == (var.architecture == "arm64")
    error_message = "instance_type and architecture do not fit: types with a g after their number (t4g.micro) are arm64, the others (t3.micro) are x86_64."
  }
}

variable "private_cidr" {
  description = "A block of the default VPC that no subnet uses; four private subnets are cut from it. Null: the last 64th of the VPC (172.31.252.0/22), which AWS's default subnets leave free."
  type        = string
  default     = null

  validation {
    condition     = var.private_cidr == null || can(cidrhost(var.private_cidr, 0)) && can(regex("/(1[6-9]|2[0-6])$", var.private_cidr))
    error_message = "private_cidr must be a block between /16 and /26 inside the default VPC, such as 172.31.252.0/22. `aws ec2 describe-subnets` shows what is taken."
  }
}

variable "domain_name" {
  description = "Host name of the API's machine; point its A record at the output `host_address`. Empty: <address>.sslip.io, which needs no domain and gets a certificate too."
  type        = string
  nullable    = false
  default     = ""

  validation {
    condition     = var.domain_name == "" || can(regex("^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\\.)+[a-z]{2,63}$", var.domain_name)) && length(var.domain_name) <= 253
    error_message = "domain_name must be a host name in small letters without https:// and without a path, such as memories.example.org, or empty."
  }
  validation {
    condition     = var.domain_name == "" || var.api_runtime != "lambda"
    error_message = "domain_name names the API's machine, and api_runtime = \"lambda\" has none: leave it empty, or put a CDN with your domain before the Function URL."
  }
}

variable "lambda_max_concurrency" {
  description = "Recordings at work at the same time, so many connections to PostgreSQL at most. A db.t3.micro takes about 80 in all."
  type        = number
  nullable    = false
  default     = 5

  validation {
    condition     = var.lambda_max_concurrency >= 2 && var.lambda_max_concurrency <= 1000 && floor(var.lambda_max_concurrency) == var.lambda_max_concurrency
    error_message = "lambda_max_concurrency must be a whole number from 2 (AWS's least) to 1000."
  }
}

# --- secrets: ephemeral, so they are in no state, no plan and no output; a saved plan wants them again at its apply ----

variable "db_password" {
  description = "Password of PostgreSQL's user `memories`, for instance `openssl rand -hex 24`."
  type        = string
  nullable    = false
  sensitive   = true
  ephemeral   = true

  validation {
    condition     = can(regex("^[!#-.0-?A-~]{16,128}$", var.db_password))
    error_message = "db_password must have 16 to 128 printable ASCII characters without / @ \" and spaces (RDS refuses these): `openssl rand -hex 24` makes one."
  }
}

variable "django_secret_key" {
  description = "Signs sessions. `openssl rand -base64 48` makes one."
  type        = string
  nullable    = false
  sensitive   = true
  ephemeral   = true

  validation {
    condition     = length(var.django_secret_key) >= 50 && !startswith(var.django_secret_key, "django-insecure")
    error_message = "django_secret_key must have 50 characters or more and not be Django's insecure default: `openssl rand -base64 48` makes one."
  }
}

variable "openai_api_key" {
  description = "Key of OpenAI, or of the server that openai_base_url names. Empty is for such a server that wants none."
  type        = string
  nullable    = false
  sensitive   = true
  ephemeral   = true

  validation {
    condition     = var.openai_api_key != "" || var.openai_base_url != ""
    error_message = "openai_api_key must not be empty: make one at platform.openai.com, or name another server by openai_base_url."
  }
  validation {
    condition     = can(regex("^[!-~]*$", var.openai_api_key))
    error_message = "openai_api_key must be printable ASCII without spaces: a line break was probably copied with it."
  }
}

variable "secrets_version" {
  description = "Raise it by one to write the three secrets anew (rotation): Terraform does not know their values, so it cannot see that they changed."
  type        = number
  nullable    = false
  default     = 1

  validation {
    condition     = var.secrets_version >= 1 && floor(var.secrets_version) == var.secrets_version
    error_message = "secrets_version must be a whole number from 1; it only ever grows."
  }
}

# --- the database ----------------------------------------------------------------------------------------------------

variable "db_instance_class" {
  description = "Size of the database. db.t3.micro is the one of the free tier."
  type        = string
  nullable    = false
  default     = "db.t3.micro"

  validation {
    condition     = can(regex("^db\\.[a-z0-9]+\\.[a-z0-9]+$", var.db_instance_class))
    error_message = "db_instance_class must be a class of RDS such as db.t3.micro."
  }
}

variable "db_allocated_storage" {
  description = "GB of the database's disk. It can grow later, never shrink; 20 are in the free tier."
  type        = number
  nullable    = false
  default     = 20

  validation {
    condition     = var.db_allocated_storage >= 20 && var.db_allocated_storage <= 16384 && floor(var.db_allocated_storage) == var.db_allocated_storage
    error_message = "db_allocated_storage must be a whole number of GB from 20 to 16384."
  }
}

variable "db_backup_retention_days" {
  description = "Days that automatic backups are kept. 0: none (see database.tf). 7 is a good number once the recordings matter."
  type        = number
  nullable    = false
  default     = 0

  validation {
    condition     = var.db_backup_retention_days >= 0 && var.db_backup_retention_days <= 35 && floor(var.db_backup_retention_days) == var.db_backup_retention_days
    error_message = "db_backup_retention_days must be a whole number from 0 (no backups) to 35."
  }
}

variable "db_final_snapshot" {
  description = "Whether a destroy leaves a last snapshot (about 0.10 USD per GB and month, until you delete it)."
  type        = bool
  nullable    = false
  default     = false
}

variable "db_deletion_protection" {
  description = "Whether AWS refuses to delete the database. To destroy it all: set false, apply, destroy."
  type        = bool
  nullable    = false
  default     = false
}

variable "db_publicly_accessible" {
  description = "Whether the database has a public address, for the networks in db_client_cidrs only."
  type        = bool
  nullable    = false
  default     = false
}

variable "db_client_cidrs" {
  description = "Networks that may reach a public database, such as [\"203.0.113.7/32\"]."
  type        = list(string)
  nullable    = false
  default     = []

  validation {
    condition     = alltrue([for cidr in var.db_client_cidrs : can(cidrhost(cidr, 0)) && can(regex("^[0-9.]+/(1[6-9]|2[0-9]|3[0-2])$", cidr))])
    error_message = "db_client_cidrs must be IPv4 networks of /16 or smaller, such as 203.0.113.7/32. The whole internet is never let in; `aws ssm start-session` forwards the port without any of this."
  }
  validation {
    condition     = var.db_publicly_accessible == (length(var.db_client_cidrs) > 0)
    error_message = "db_client_cidrs and db_publicly_accessible go together: a public database needs at least one network, and a private one takes none."
  }
}

# --- the recordings --------------------------------------------------------------------------------------------------

variable "audio_retention_days" {
  description = "Days that audio is kept. The text stays."
  type        = number
  nullable    = false
  default     = 90

  validation {
    condition     = var.audio_retention_days >= 1 && var.audio_retention_days <= 3650 && floor(var.audio_retention_days) == var.audio_retention_days
    error_message = "audio_retention_days must be a whole number from 1 to 3650."
  }
}

variable "audio_force_destroy" {
  description = "Whether a destroy deletes the recordings too. With false it stops at a bucket that is not empty."
  type        = bool
  nullable    = false
  default     = false
}

variable "max_upload_mb" {
  description = "Largest recording in MB."
  type        = number
  nullable    = false
  default     = 500

  validation {
    condition     = var.max_upload_mb >= 1 && var.max_upload_mb <= 750 && floor(var.max_upload_mb) == var.max_upload_mb
    error_message = "max_upload_mb must be a whole number from 1 to 750: the worker holds a recording twice, and its sound, in 2 GB of /tmp (lambda.tf)."
  }
}

variable "cors_origins" {
  description = "Origins of other web pages that upload straight to S3, such as [\"https://app.example.org\"]. The API's own pages always may."
  type        = list(string)
  nullable    = false
  default     = []

  validation {
    condition     = alltrue([for origin in var.cors_origins : can(regex("^https://[a-z0-9.-]+(:[0-9]+)?$", origin)) || can(regex("^http://localhost(:[0-9]+)?$", origin))])
    error_message = "cors_origins must be origins without a path or a slash at the end, such as https://app.example.org; http only for localhost, and no *."
  }
}

# --- OpenAI ----------------------------------------------------------------------------------------------------------

variable "openai_transcription_model" {
  description = "Model that transcribes."
  type        = string
  nullable    = false
  default     = "gpt-transcribe"

  validation {
    condition     = can(regex("^[A-Za-z0-9][A-Za-z0-9._:/-]*$", var.openai_transcription_model))
    error_message = "openai_transcription_model must be the name of a model, such as gpt-transcribe."
  }
}

variable "openai_analysis_model" {
  description = "Model that writes title, summary and the rest."
  type        = string
  nullable    = false
  default     = "gpt-5.4-mini"

  validation {
    condition     = can(regex("^[A-Za-z0-9][A-Za-z0-9._:/-]*$", var.openai_analysis_model))
    error_message = "openai_analysis_model must be the name of a model, such as gpt-5.4-mini."
  }
}

variable "openai_base_url" {
  description = "Another server that speaks OpenAI's protocol. Empty: OpenAI."
  type        = string
  nullable    = false
  default     = ""

  validation {
    condition     = var.openai_base_url == "" || can(regex("^https://[A-Za-z0-9.-]+(:443)?(/[A-Za-z0-9._~/-]*)?$", var.openai_base_url))
    error_message = "openai_base_url must be empty or https:// on port 443, such as https://llm.example.org/v1: recordings go there, and the functions have no other way out (network.tf)."
  }
}

variable "daily_budget_usd" {
  description = "USD a day for OpenAI, of everybody together; then recordings wait for the next day. 0: no cap."
  type        = number
  nullable    = false
  default     = 0.0

  validation {
    condition     = var.daily_budget_usd >= 0
    error_message = "daily_budget_usd must be 0 (no cap) or more."
  }
}

variable "daily_budget_usd_per_user" {
  description = "The same for one person."
  type        = number
  nullable    = false
  default     = 0.0

  validation {
    condition     = var.daily_budget_usd_per_user >= 0
    error_message = "daily_budget_usd_per_user must be 0 (no cap) or more."
  }
}

# --- watching --------------------------------------------------------------------------------------------------------

variable "alarm_email" {
  description = "Who gets the mails of alarms and of the AWS budget. AWS sends a mail to confirm; until then alarms reach nobody."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[^@\\s,;<>]+@[A-Za-z0-9-]+(\\.[A-Za-z0-9-]+)+$", var.alarm_email))
    error_message = "alarm_email must be one mail address, such as ops@example.org."
  }
}

variable "monthly_budget_usd" {
  description = "USD a month for AWS (not for OpenAI) at which mails are sent. It stops nothing."
  type        = number
  nullable    = false
  default     = 1

  validation {
    condition     = var.monthly_budget_usd > 0
    error_message = "monthly_budget_usd must be more than 0; 1 is the least that is of use."
  }
}

variable "log_retention_days" {
  description = "Days that logs are kept (5 GB are free)."
  type        = number
  nullable    = false
  default     = 30

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days must be one of CloudWatch's: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731 or whole years up to 3653."
  }
}

variable "log_level" {
  description = "Least level that is logged."
  type        = string
  nullable    = false
  default     = "INFO"

  validation {
    condition     = contains(["DEBUG", "INFO", "WARNING", "ERROR"], var.log_level)
    error_message = "log_level must be DEBUG, INFO, WARNING or ERROR."
  }
}
