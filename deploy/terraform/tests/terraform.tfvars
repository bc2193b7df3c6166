# What has no default; `terraform test` reads it for all files here.
image_tag         = "0123abc"
alarm_email       = "ops@example.org"
db_password       = "a-password-of-tests"
django_secret_key = "a key of tests that is as long as the checks of production want it"
openai_api_key    = "sk-a-key-of-tests"
