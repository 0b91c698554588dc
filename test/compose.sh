#!/usr/bin/env bash
# Brings docker-compose.yml up for real with its fake WeChat, sends messages and a login through it, takes it down.
#
#   test/compose.sh          one of each
#   test/compose.sh scale    several of each (profile scale), which are killed in turn while messages are sent
#
# Needs Docker with compose. Where a machine has neither, .ci/docker.sh makes them (Debian, as root).
set -euo pipefail
cd "$(dirname "$0")/.."
form=${1:-one}
project=wxgate-test
fake=http://127.0.0.1:8010
export WXGATE_FAKE_PORT=8010
WXGATE_VERSION=$(git describe --tags --always || echo unknown)
export WXGATE_VERSION
compose=(docker compose --project-name "$project" --env-file test/compose.env --profile dev)
case $form in
  one)
    export WXGATE_PORT=${WXGATE_PORT:-18000}
    public=gateway gateway=http://127.0.0.1:$WXGATE_PORT ;;
  scale)
    export WXGATE_HTTP_PORT=${WXGATE_HTTP_PORT:-18080} WXGATE_HTTPS_PORT=${WXGATE_HTTPS_PORT:-18443}
    export WXGATE_RULES=./test/scale-rules.yaml
    compose+=(--env-file deploy/scale.env --profile scale -f docker-compose.yml -f test/scale.yaml)
    public=front gateway=https://localhost:$WXGATE_HTTPS_PORT
    export WXGATE_HOST='localhost, front.internal' WXGATE_PUBLIC_URL=$gateway ;; # the browser's name for it, and the fake's
  *) echo 'usage: test/compose.sh [scale]' >&2; exit 2 ;;
esac

work=$(mktemp -d)
fail() { echo "compose.sh: $*" >&2; exit 1; }
finish() {
  code=$?
  [ $code -eq 0 ] || "${compose[@]}" logs --no-color --tail 50 >&2 || true
  "${compose[@]}" down --volumes --timeout 15 >/dev/null 2>&1 || true
  rm -rf "$work"
  exit $code
}
trap finish EXIT

build() {
  go build -o bin/wxgate .
  "${compose[@]}" build --quiet gateway
}

up() { "${compose[@]}" up --detach --wait --wait-timeout 60 "$@"; }

# The front makes an authority of its own, whom all of us trust: it comes first.
trust_front() {
  up front
  for _ in $(seq 50); do
    "${compose[@]}" cp front:/data/caddy/pki/authorities/local/root.crt "$work/front.crt" >/dev/null 2>&1 && break
    sleep 0.2
  done
  chmod 644 "$work/front.crt"
  export WXGATE_FRONT_CA=$work/front.crt SSL_CERT_FILE=$work/front.crt CURL_CA_BUNDLE=$work/front.crt
}

# has tells whether a line that comes in matches. It reads them all: grep -q would hang up on who still writes, who fails then.
has() {
  local lines
  lines=$(cat)
  grep -q -- "$1" <<<"$lines"
}

send() { bin/wxgate send --url "$gateway/" "$@"; }

# In safe mode: sealed in, sealed out.
messages() {
  export WECHAT_APP_ID=wx0123456789abcdef WECHAT_TOKEN_FILE=test/secrets/token WECHAT_AES_KEY_FILE=test/secrets/aes_key
  send text 'hello 容器' | has 'Content  *hello 容器' || fail 'no echo'
  send event VIEW https://example.com/ | has 'nothing to say' || fail 'an event without a rule was answered'
  if WECHAT_TOKEN_FILE='' WECHAT_TOKEN=wrong send text hello >/dev/null 2>&1; then fail 'a wrong token was accepted'; fi
}

# As a browser goes through it.
login() {
  local jar=$work/jar page allow
  page=$(curl -sS -c "$jar" -b "$jar" -L "$gateway/oauth/login?return_to=/oauth/userinfo")
  allow=$(sed -n 's/.*id="allow"[^>]*href="\([^"]*\)".*/\1/p' <<<"$page" | sed 's/&amp;/\&/g')
  [ -n "$allow" ] || fail "no allow button on the authorize page: $page"
  curl -sS -c "$jar" -b "$jar" -L "$allow" | has '"openid"' || fail 'the login did not end in the user'
}

# Only the public port leaves the machine. On loopback are the fake's, and the public ports of several gateways.
closed() {
  local ports port
  ports=$("${compose[@]}" ps --format '{{.Service}} {{.Ports}}' | sed -E 's/127\.0\.0\.1:[0-9]+->(8000|8010)//g')
  grep -q "^$public .*->" <<<"$ports" || fail "no port of $public is published: $ports"
  grep -- '->' <<<"$ports" | grep -v "^$public " && fail 'an internal port is published'
  for port in 4222 6222 8001 9001 9002; do
    if curl -s --max-time 1 "http://127.0.0.1:$port/" >/dev/null; then fail "port $port is reachable"; fi
  done
}

# Nobody is root, and no secret is in a log.
discreet() {
  local logs secret
  [ "$(docker inspect --format '{{.Config.User}}' wxgate)" = 65532:65532 ] || fail 'the image runs as root'
  logs=$("${compose[@]}" logs --no-color)
  for secret in $(cat test/secrets/*) $(sed -n 's/^NATS_TOKEN=//p' test/compose.env) 容器 signature=; do
    grep -qF "$secret" <<<"$logs" && fail 'a secret or a text is in the logs'
  done
  [ "$(docker run --rm wxgate --version)" = "$WXGATE_VERSION" ] || fail 'the image does not know its version'
  docker image ls wxgate --format 'image wxgate: {{.Size}}'
}

# A replier that is away is survived: the user is told, where nothing keeps the message.
replier_away() {
  "${compose[@]}" stop --timeout 5 replier >/dev/null 2>&1
  send text hello | has 'Content  *系统繁忙，请稍后再试。' || fail 'the user is not told while the replier is away'
  "${compose[@]}" start replier >/dev/null 2>&1
  for _ in $(seq 20); do send text 'back' | has 'Content  *back' && break; sleep 0.5; done
  send text 'back' | has 'Content  *back' || fail 'the replier is back and not found'
}

# say TEXT USER: through the fake, which sends up to three times, and knows what the user may be pushed.
say() { curl -sS --max-time 60 -o /dev/null --data kind=text --data-urlencode "arg=$1" --data "from=$2" $fake/fake/send; }

steady=80 # messages, together less than the page remembers

# message I: sets the text of a message and what answers it. Each third takes the bot 6 to 11 seconds, longer than WeChat
# waits; zeros before the number tell those of the same length apart.
message() {
  local seconds
  text="steady $1" content="steady $1"
  if [ $(($1 % 3)) -eq 0 ]; then
    seconds=$(printf '%0*d' $(($1 / 18 + 2)) $(($1 / 3 % 6 + 6)))
    text="wait $seconds" content="I waited $seconds s\."
  fi
}

# steadily sends one after the other, of several users, whether or not those before are answered.
steadily() {
  for i in $(seq $steady); do
    message "$i"
    say "$text" "oSteady$((i % 7))" &
    sleep 0.75
  done
  wait
}

# trouble kills and stops, one after the other, for as long as steadily sends.
trouble() {
  sleep 5
  for one in 'kill replier-2' 'kill nats-2' 'stop gateway-1'; do
    echo "docker $one"
    # shellcheck disable=SC2086
    set -- $one
    name=$(docker ps --format '{{.Names}}' | grep -E "^$project-$2(-1)?$")
    docker "$1" "$name" >/dev/null
    sleep 10
    docker start "$name" >/dev/null
    sleep 5
  done
}

# count counts the lines of the fake's log page that say so: sent and answered, or pushed, with a content.
count() { grep -cE "$1" "$work/page" || true; }
answers() { # answers TEXT CONTENT: sets passive_now, pushed_now
  passive_now=$(count "<td>send text $1 \(attempt.*<dt>Content</dt><dd>$2</dd>")
  pushed_now=$(count "<td>/cgi-bin/message/custom/send</td> *<td>ok.*<dd>$2</dd>")
}

# balance adds up what became of the messages, in the words of the report.
balance() {
  curl -sS $fake/fake/log | tr '\n' ' ' | sed 's/<tr/\n<tr/g' >"$work/page"
  [ "$(count '<tr')" -lt 200 ] || fail 'the page forgot messages: send fewer'
  sent=0 passive=0 pushed=0 lost=0 twice=0 odd=
  for i in $(seq $steady); do
    message "$i"
    answers "$text" "$content"
    sent=$((sent + 1)) passive=$((passive + passive_now)) pushed=$((pushed + pushed_now))
    case $((passive_now + pushed_now)) in
      0) lost=$((lost + 1)) odd+=" '$text'" ;;
      1) ;;
      *) twice=$((twice + 1)) odd+=" '$text'" ;;
    esac
  done
  held=$(count '<td>send text .*\(attempt .*no answer')
}

# survives asserts that every message is answered exactly once, whoever is away.
survives() {
  steadily & local messages=$!
  trouble
  wait "$messages"
  for _ in $(seq 60); do # what is owed is pushed later
    balance
    [ $lost -gt 0 ] || break
    sleep 1
  done
  sleep 15 # for one that comes too often
  balance
  echo "sent $sent, passive $passive, pushed $pushed, held $held, lost $lost, twice $twice"
  [ "$lost$twice" = 00 ] || { cp "$work/page" /tmp/compose-scale.html; fail "not answered once:$odd; see /tmp/compose-scale.html"; }
}

build
case $form in
  one)
    up
    messages
    send event subscribe | has 'Thank you for your attention!' || fail 'no welcome'
    login; closed; replier_away; discreet ;;
  scale)
    CGO_ENABLED=0 go build -o bin/bot ./examples/go
    trust_front; up
    messages; login; closed; survives; discreet ;;
esac
echo 'compose.sh: ok'
