# Never built: Dependabot reads here, and Terraform tells roll.sh, which Caddy runs on the machine. It is pulled from AWS's
# mirror of Docker Hub's own images (public.ecr.aws/docker/library), which counts no downloads.
FROM caddy:2.11.2
