#!/usr/bin/env bash
# Rolls the API on this machine to the image api-$IMAGE_TAG, without turning anybody away.
#   IMAGE_TAG=COMMIT roll.sh [--force]      run by the SSM document, at each boot, or by a person on the machine
# The new container starts beside the old one, on the other of two ports. Only when it is well, Caddy is pointed at it, and
# the old one is asked to end what it has begun: it has a minute for that. An upload that takes longer is cut, and its client
# sends it again. When the new one never gets well it is removed, and the old one goes on: exit 1.
# Killed half way it may be run again. --force also replaces a container that is what it should be.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
readonly ports=(8001 8002)
readonly drain_seconds=70 # more than gunicorn gives to the requests that it has begun
readonly lock_seconds=300 # longer than a roll takes, and short enough to have the rest of what the SSM document gives
patience=${ROLL_PATIENCE:-150} # seconds for a container to get well
state=${STATE_DIR:-}

say() { echo "roll: $*"; }
fail() {
  say "$*" >&2
  exit 1
}
# No child may hold the lock when we are killed.
docker() { command docker "$@" 9>&-; }
aws() { command aws --region "$AWS_REGION" "$@" 9>&-; }

main() {
  check_settings "$@"
  mkdir -p "$state"/{data,caddy/config,caddy/data}
  exec 9>"$state/roll.lock"
  flock --wait "$lock_seconds" 9 || fail "Another roll holds $state/roll.lock for ${lock_seconds}s: look at what it waits for."
  DOCKER_CONFIG=$(mktemp -d) # the registry's password goes nowhere else
  export DOCKER_CONFIG
  trap 'rm -rf "$DOCKER_CONFIG"' EXIT

  fetch_environment
  fetch_image
  local live next
  live=$(live_port)
  # What a killed roll left behind is settled first.
  [ -z "$live" ] || load_caddy || fail "Caddy does not run with the configuration in $config, so nothing was changed."
  leads_here || stay "$live"
  if [ -z "$force" ] && is_as_wanted "$live"; then
    say "api-$IMAGE_TAG runs already on port $live, with this environment."
    next=$live
  else
    next=$(other_port "$live")
    start_api "$next"
    await_well "$next" || give_up "$next"
    switch "$live" "$next"
  fi
  retire "$(other_port "$next")"
  prune
  say "api-$IMAGE_TAG serves."
}

check_settings() {
  local name
  for name in APP_NAME AWS_REGION REPOSITORY_URL LOG_GROUP SITE_ADDRESS OWN_ADDRESS PUBLIC_IP CADDY_IMAGE IMAGE_TAG; do
    [ -n "${!name:-}" ] || fail "$name is not set."
  done
  must_be APP_NAME '^[a-z][a-z0-9-]{1,20}[a-z0-9]$'
  must_be AWS_REGION '^[a-z]{2}(-[a-z]+)+-[0-9]$'
  must_be REPOSITORY_URL '^[a-z0-9.:/_-]+$'
  must_be LOG_GROUP '^[A-Za-z0-9_/.-]+$'
  must_be SITE_ADDRESS '^[A-Za-z0-9.:-]+$'
  must_be OWN_ADDRESS '^[A-Za-z0-9.:-]+$'
  must_be PUBLIC_IP '^[0-9.]+$'
  must_be CADDY_IMAGE '^[a-z0-9.:/_@-]+$'
  must_be IMAGE_TAG '^[0-9a-f]{7,40}$'
  force=
  [ $# -eq 0 ] || { [ "$*" = --force ] && force=1; } || fail "Unknown argument: $*"
  state=${state:-/var/lib/$APP_NAME}
  image=$REPOSITORY_URL:api-$IMAGE_TAG
  config=$state/caddy/config/Caddyfile
  proxy=$APP_NAME-caddy
  # Lines are lost rather than that a container waits for CloudWatch, which may be away.
  log_options=(--log-driver awslogs --log-opt "awslogs-region=$AWS_REGION" --log-opt "awslogs-group=$LOG_GROUP"
    --log-opt mode=non-blocking --log-opt max-buffer-size=4m)
}

must_be() { [[ ${!1} =~ $2 ]] || fail "$1 is not of the form $2."; }

fetch_environment() {
  environment=$state/environment
  (umask 077 && aws ssm get-parameter --name "/$APP_NAME/api/environment" --query Parameter.Value --output text >"$environment.next") ||
    fail "The parameter /$APP_NAME/api/environment cannot be read: run terraform apply, or look at the role of this machine."
  if grep -qvE '^([A-Z][A-Z0-9_]*=.*)?$' "$environment.next"; then
    fail "The parameter /$APP_NAME/api/environment has a line that is not NAME=VALUE."
  fi
  mv "$environment.next" "$environment"
}

setting() { sed -n "s/^$1=//p" "$environment" | tail -n 1; }

fetch_image() {
  aws ecr get-login-password | docker login --username AWS --password-stdin "${REPOSITORY_URL%%/*}" >/dev/null 2>&1 ||
    say "The registry gives no access; going on with what is here." >&2
  docker pull --quiet "$image" >/dev/null || docker image inspect "$image" >/dev/null 2>&1 ||
    fail "There is no image $image: push it (the workflow's build), or roll to a release that is there."
}

container() { echo "$APP_NAME-api-$1"; }
# Whether it is running, and the value of a label: nothing when there is no such container.
runs() { [ "$(docker inspect --format '{{.State.Running}}' "$1" 2>/dev/null)" = true ]; }
label() { docker inspect --format "{{index .Config.Labels \"$2\"}}" "$1" 2>/dev/null || true; }

# What the running container was made of: other than this, it has to be replaced.
fingerprint() {
  { docker image inspect --format '{{.Id}}' "$image" && cat "$environment"; } | sha256sum | cut -d ' ' -f 1
}

live_port() { [ ! -f "$config" ] || sed -n 's/^.*127\.0\.0\.1:\(800[12]\) .*$/\1/p' "$config"; }
other_port() { [ "$1" = "${ports[0]}" ] && echo "${ports[1]}" || echo "${ports[0]}"; }

# Whether a certificate can be had for the address. Once it is served it is not asked for again: DNS that is away for a
# minute is no reason not to roll.
leads_here() {
  [ "$SITE_ADDRESS" != "$OWN_ADDRESS" ] || return 0
  ! grep -qF "$SITE_ADDRESS, " "$config" 2>/dev/null || return 0
  getent ahostsv4 "$SITE_ADDRESS" 9>&- | cut -d ' ' -f 1 | grep -xF "$PUBLIC_IP" >/dev/null
}

# The release that serves may go on, under the addresses that it has: a release that is taken back ends here, and well.
stay() {
  say "$SITE_ADDRESS does not lead to this machine: make its A record $PUBLIC_IP first, then deploy again." >&2
  if [ -n "$1" ] && [ "$(label "$(container "$1")" release)" = "$IMAGE_TAG" ] && is_well "$1"; then
    say "Nothing was changed: api-$IMAGE_TAG serves already."
    exit
  fi
  fail "Nothing was changed."
}

is_as_wanted() {
  [ -n "$1" ] && runs "$(container "$1")" && [ "$(label "$(container "$1")" fingerprint)" = "$(fingerprint)" ] && is_well "$1"
}

start_api() {
  local name user
  name=$(container "$1")
  docker rm --force "$name" >/dev/null 2>&1 || true
  user=$(docker image inspect --format '{{.Config.User}}' "$image")
  chown "${user:-0}" "$state/data"
  say "Starting api-$IMAGE_TAG on port $1."
  docker run --detach --name "$name" --network host --restart unless-stopped \
    --read-only --tmpfs /tmp:size=64m,mode=1777 --volume "$state/data:/data" \
    --cap-drop ALL --security-opt no-new-privileges --memory 512m --pids-limit 256 \
    --env-file "$environment" --env "PORT=$1" --env "GUNICORN_CMD_ARGS=--bind=127.0.0.1:$1 --graceful-timeout=60" \
    --label "release=$IMAGE_TAG" --label "fingerprint=$(fingerprint)" \
    "${log_options[@]}" --log-opt "awslogs-stream=$name-${IMAGE_TAG:0:12}" \
    "$image" >/dev/null && return
  docker rm --force "$name" >/dev/null 2>&1 || true
  fail "The container could not be started; what served before goes on."
}

ask() { curl --silent --max-time 10 --header "Host: $OWN_ADDRESS" "${@:3}" "http://127.0.0.1:$1$2" 9>&-; }

# It is this release that answers (not a leftover on that port), and it reaches what it stands on.
is_well() { ask "$1" /healthz | grep -qE "\"release\": ?\"$IMAGE_TAG\"" && ask "$1" /readyz --fail >/dev/null; }

await_well() {
  local end=$((SECONDS + patience))
  until is_well "$1"; do
    [ "$SECONDS" -lt "$end" ] || return 1
    sleep 1 9>&-
  done
}

give_up() {
  local name
  name=$(container "$1")
  {
    say "api-$IMAGE_TAG did not get well within $patience seconds. It says of itself:"
    ask "$1" /readyz || docker inspect --format '{{.State.Status}}, exit code {{.State.ExitCode}}' "$name" || true
    echo
    say "The end of its log:"
    docker logs --tail 40 "$name" 2>&1 || true
  } >&2
  docker rm --force "$name" >/dev/null || true
  fail "api-$IMAGE_TAG was removed; what served before goes on."
}

switch() {
  render "$2"
  load_caddy && return
  if [ -n "$1" ]; then
    render "$1"
    load_caddy || true
  fi
  docker rm --force "$(container "$2")" >/dev/null || true
  fail "Caddy does not run with its new configuration; what served before goes on."
}

render() {
  local upload sites=$OWN_ADDRESS
  [ "$SITE_ADDRESS" = "$OWN_ADDRESS" ] || sites="$SITE_ADDRESS, $OWN_ADDRESS"
  upload=$(setting MAX_UPLOAD_MB)
  [[ ${upload:=500} =~ ^[0-9]{1,5}$ ]] || fail "MAX_UPLOAD_MB is not a number of MB."
  sed -e "s|@SITES@|$sites|" -e "s|@PORT@|$1|" -e "s|@MAX_BODY_MB@|$((upload + 12))|" \
    "$here/Caddyfile" >"$config.next"
  mv "$config.next" "$config" # whole, whenever we are killed
}

# Has Caddy run with the configuration that lies there. Without a gap, but for the second in which a new version of it starts.
load_caddy() {
  local before=
  ! runs "$proxy" || before=$(label "$proxy" image)
  if [ "$before" = "$CADDY_IMAGE" ]; then
    reload_caddy
    return
  fi
  # While the one before still serves.
  docker image inspect "$CADDY_IMAGE" >/dev/null 2>&1 || docker pull --quiet "$CADDY_IMAGE" >/dev/null || {
    say "There is no image $CADDY_IMAGE to be had." >&2
    return 1
  }
  start_caddy "$CADDY_IMAGE" && reload_caddy && return
  [ -z "$before" ] || start_caddy "$before" || true
  return 1
}

start_caddy() {
  say "Starting $1."
  docker rm --force "$proxy" >/dev/null 2>&1 || true
  docker run --detach --name "$proxy" --network host --restart unless-stopped \
    --read-only --tmpfs /run/caddy:mode=0700 --tmpfs /config --tmpfs /tmp \
    --volume "$state/caddy/config:/etc/caddy:ro" --volume "$state/caddy/data:/data" \
    --cap-drop ALL --cap-add NET_BIND_SERVICE --security-opt no-new-privileges --memory 128m --pids-limit 128 \
    --label "image=$1" "${log_options[@]}" --log-opt awslogs-stream=caddy "$1" >/dev/null
}

reload_caddy() {
  local trial
  for trial in 1 2 3 4 5 6 7 8 9 10; do
    docker exec "$proxy" caddy reload --adapter caddyfile --config /etc/caddy/Caddyfile >"$state/caddy/reload.log" 2>&1 && return
    [ "$trial" = 10 ] || sleep 1 9>&- # it is just starting
  done
  cat "$state/caddy/reload.log" >&2
  return 1
}

retire() {
  local name
  name=$(container "$1")
  docker inspect "$name" >/dev/null 2>&1 || return 0
  sleep 2 9>&- # what Caddy took just before it was pointed elsewhere is on its way
  say "Ending ${name##*/}: it has $drain_seconds seconds for what it has begun."
  label "$name" release >"$state/previous"
  docker stop -t "$drain_seconds" "$name" >/dev/null || true
  docker rm --force "$name" >/dev/null
}

# The disk is small: what serves and what served before stay.
prune() {
  local tag previous=
  [ ! -f "$state/previous" ] || previous=$(cat "$state/previous")
  docker image ls --format '{{.Tag}}' "$REPOSITORY_URL" | while read -r tag; do
    case $tag in
      "api-$IMAGE_TAG" | "api-$previous") ;;
      *) docker rmi "$REPOSITORY_URL:$tag" >/dev/null 2>&1 || true ;;
    esac
  done
  docker image prune --force >/dev/null 2>&1 || true
}

# Read whole before it runs, and with nothing on standard input that a child could eat.
main "$@" </dev/null
exit
