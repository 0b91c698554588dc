#!/usr/bin/env bash
# Makes `docker compose up --build` work on a Debian machine that reaches no image registry.
#
#   docker.sh golang:1.26 nats:2.12      # the images that the Dockerfile and docker-compose.yml name
#
# 1. installs Docker Engine from Debian, starts it where it does not run
# 2. builds the compose plugin from its Go module
# 3. for each image named, where the engine lacks it, makes a stand-in under that name from what the machine has:
#    golang:* from the Go toolchain of this machine, nats:* and caddy:* from their Go modules
# Safe to run twice. Needs root. DOCKER_BUILDKIT=0 is needed for builds (no buildx here): it is printed at the end.
set -euo pipefail

compose_version=v2.40.3
plugins=${DOCKER_CONFIG:-$HOME/.docker}/cli-plugins
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT

if ! command -v dockerd >/dev/null; then
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends docker.io iptables busybox-static >/dev/null
fi
command -v busybox >/dev/null || DEBIAN_FRONTEND=noninteractive apt-get install -y -qq busybox-static >/dev/null

if ! docker info >/dev/null 2>&1; then
  nohup dockerd >/var/log/dockerd.log 2>&1 &
  for _ in $(seq 60); do docker info >/dev/null 2>&1 && break; sleep 0.5; done
  docker info >/dev/null || { tail -20 /var/log/dockerd.log >&2; exit 1; }
fi

if ! docker compose version >/dev/null 2>&1; then
  mkdir -p "$plugins" "$work/compose"
  ( cd "$work/compose" && go mod init compose-plugin >/dev/null 2>&1 &&
    go get "github.com/docker/compose/v2/cmd@$compose_version" >/dev/null 2>&1 &&
    go build -o "$plugins/docker-compose" github.com/docker/compose/v2/cmd )
fi

root() { # a minimal root file system: a shell, /tmp, certificates
  mkdir -p "$1"/{bin,tmp,etc/ssl/certs,usr/bin,root}
  cp "$(command -v busybox)" "$1/bin/busybox"
  for applet in $("$1/bin/busybox" --list | grep -vx busybox); do ln -sf busybox "$1/bin/$applet"; done
  cp /etc/ssl/certs/ca-certificates.crt "$1/etc/ssl/certs/"
  echo 'root:x:0:0:root:/root:/bin/sh' > "$1/etc/passwd"
}

for image in "$@"; do
  docker image inspect "$image" >/dev/null 2>&1 && continue
  r="$work/${image//[:\/]/_}"; root "$r"
  case $image in
    golang:*)
      mkdir -p "$r/usr/local" && cp -r "$(go env GOROOT)" "$r/usr/local/go"
      tar -C "$r" -c . | docker import -c 'ENV PATH=/usr/local/go/bin:/go/bin:/bin:/usr/bin' -c 'ENV GOPATH=/go' -c 'WORKDIR /go' - "$image" >/dev/null ;;
    nats:*|caddy:*)
      case $image in nats:*) name=nats-server pkg=github.com/nats-io/nats-server/v2 run='ENTRYPOINT ["/bin/nats-server"]' ;;
                     caddy:*) name=caddy pkg=github.com/caddyserver/caddy/v2/cmd/caddy
                               run='CMD ["caddy","run","--config","/etc/caddy/Caddyfile","--adapter","caddyfile"]' ;; esac
      ( mkdir -p "$work/$name" && cd "$work/$name" && go mod init stand-in >/dev/null 2>&1 && go get "$pkg@latest" >/dev/null 2>&1 &&
        CGO_ENABLED=0 go build -o "$r/bin/$name" "$pkg" )
      tar -C "$r" -c . | docker import -c "$run" -c 'ENV PATH=/bin:/usr/bin' - "$image" >/dev/null ;;
    *) echo "docker.sh: no stand-in for $image" >&2; exit 2 ;;
  esac
  echo "stand-in image $image"
done
docker compose version
echo 'ready: export DOCKER_BUILDKIT=0 before docker compose build'
