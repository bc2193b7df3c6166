#!/usr/bin/env bash
# Tells CloudWatch whether the API is well (1 or 0), as somebody on the internet would find it: by its address, through Caddy,
# with a certificate that is valid, and with all that it stands on. Run by the timer of boot.sh, with the machine's settings.
set -euo pipefail

well=1
curl --silent --fail --max-time 30 --output /dev/null \
  --resolve "$SITE_ADDRESS:443:127.0.0.1" "https://$SITE_ADDRESS/readyz" || well=0
exec aws --region "$AWS_REGION" cloudwatch put-metric-data --namespace "$APP_NAME" --metric-name ApiWell --value "$well"
