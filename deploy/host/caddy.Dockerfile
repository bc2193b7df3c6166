# Never built: Dependabot reads here, and Terraform tells roll.sh, which Caddy runs on the machine. It is pulled from AWS's
# mirror of Docker Hub's own images (public.ecr.aws/docker/library), which counts no downloads.
# checkov:skip=CKV_DOCKER_2:never built; the machine asks the proxy every five minutes (api-well.sh)
# checkov:skip=CKV_DOCKER_3:never built; roll.sh leaves the container nothing but the right to take ports 80 and 443
FROM caddy:2.11.2
