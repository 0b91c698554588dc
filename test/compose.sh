#!/usr/bin/env bash
# Brings docker-compose.yml up for real with its fake WeChat, sends messages and a login through it, takes it down.
#
#   test/compose.sh
#
# Needs Docker with compose. Where a machine has neither, .ci/docker.sh makes them (Debian, as root).
set -euo pipefail
cd "$(dirname "$0")/.."
export WXGATE_PORT=${WXGATE_PORT:-18000} WXGATE_FAKE_PORT=8010
compose=(docker compose --project-name wxgate-test --env-file test/compose.env --profile dev)
gateway=http://127.0.0.1:$WXGATE_PORT

fail() { echo "compose.sh: $*" >&2; exit 1; }
finish() {
  code=$?
  [ $code -eq 0 ] || "${compose[@]}" logs --no-color --tail 50 >&2 || true
  "${compose[@]}" down --volumes --timeout 15 >/dev/null 2>&1 || true
  exit $code
}
trap finish EXIT

"${compose[@]}" build --quiet gateway
"${compose[@]}" up --detach --wait --wait-timeout 60
go build -o bin/wxgate .
send() { bin/wxgate send --url "$gateway/" "$@"; }

# Messages, in safe mode: sealed in, sealed out.
export WECHAT_APP_ID=wx0123456789abcdef WECHAT_TOKEN_FILE=test/secrets/token WECHAT_AES_KEY_FILE=test/secrets/aes_key
send text 'hello 容器' | grep -q 'Content  *hello 容器' || fail 'no echo'
send event subscribe | grep -q 'Thank you for your attention!' || fail 'no welcome'
send event VIEW https://example.com/ | grep -q 'nothing to say' || fail 'an event without a rule was answered'
if WECHAT_TOKEN_FILE='' WECHAT_TOKEN=wrong send text hello >/dev/null 2>&1; then fail 'a wrong token was accepted'; fi

# A login, as a browser goes through it.
jar=$(mktemp)
page=$(curl -sS -c "$jar" -b "$jar" -L "$gateway/oauth/login?return_to=/oauth/userinfo")
allow=$(sed -n 's/.*id="allow"[^>]*href="\([^"]*\)".*/\1/p' <<<"$page" | sed 's/&amp;/\&/g')
[ -n "$allow" ] || fail "no allow button on the authorize page: $page"
curl -sS -c "$jar" -b "$jar" -L "$allow" | grep -q '"openid"' || fail 'the login did not end in the user'
rm -f "$jar"

# Only the gateway's public port (and the fake's, on loopback) leave the network.
ports=$("${compose[@]}" ps --format '{{.Service}} {{.Ports}}')
grep -E '^(replier|oauthsvc) .*->' <<<"$ports" && fail 'an internal port is published'
for port in 8001 9001 9002; do
  if curl -s --max-time 1 "http://127.0.0.1:$port/" >/dev/null; then fail "port $port is reachable"; fi
done

# A replier that is away is survived.
"${compose[@]}" stop --timeout 5 replier >/dev/null 2>&1
send text hello | grep -q 'nothing to say' || fail 'no success while the replier is away'
"${compose[@]}" start replier >/dev/null 2>&1
for _ in $(seq 20); do send text 'back' | grep -q 'Content  *back' && break; sleep 0.5; done
send text 'back' | grep -q 'Content  *back' || fail 'the replier is back and not found'

# Nobody is root, and no secret is in a log.
[ "$(docker inspect --format '{{.Config.User}}' wxgate)" = 65532:65532 ] || fail 'the image runs as root'
logs=$("${compose[@]}" logs --no-color)
for secret in $(cat test/secrets/*) 容器; do
  grep -qF "$secret" <<<"$logs" && fail 'a secret or a text is in the logs'
done
docker image ls wxgate --format 'image wxgate: {{.Size}}'
echo 'compose.sh: ok'
