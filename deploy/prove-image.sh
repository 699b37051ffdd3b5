#!/usr/bin/env bash
# Builds the image on a machine without a container engine, and runs it: root, Debian's buildah and debootstrap.
# A Debian with Python 3.11 stands for the base image. Arguments go to `buildah bud`, as --volume /etc/pip.conf:/etc/pip.conf:ro
# where pip needs this machine's configuration during the build.
set -euo pipefail
cd "$(dirname "$0")/.."

WORK=$(mktemp -d)
BASE=docker.io/library/python:3.11-slim
buildah() { command buildah --root "$WORK/storage" --runroot "$WORK/run" --storage-driver vfs "$@"; }
say() { printf '== %s\n' "$*"; }
# `set -e` overlooks what stands behind a `!`.
fails() { if "$@"; then return 1; fi; }

remove() {
  [ -z "${gateway:-}" ] || kill "$gateway" 2>/dev/null || true
  [ -z "${valkey:-}" ] || kill "$valkey" 2>/dev/null || true
  wait
  buildah umount --all >/dev/null 2>&1 || true
  rm -rf "$WORK"
}
trap remove EXIT

say "A base image from Debian packages"
debootstrap --variant=minbase --include=python3,python3-venv,python3-pip,ca-certificates bookworm "$WORK/base" >"$WORK/debootstrap.log"
ln -s /usr/bin/python3 "$WORK/base/usr/local/bin/python3"
ln -s /usr/bin/python3 "$WORK/base/usr/local/bin/python"
container=$(buildah from scratch)
cp -a "$WORK/base/." "$(buildah mount "$container")/"
buildah umount "$container" >/dev/null
buildah commit --quiet --rm "$container" "$BASE" >/dev/null
rm -rf "$WORK/base"

say "The image from the Dockerfile"
buildah bud --quiet --isolation chroot --format docker --pull-never "$@" --tag task-gateway . >/dev/null
container=$(buildah from --pull-never localhost/task-gateway)
root=$(buildah mount "$container")
mount --bind "$root" "$root"
trap 'umount -R "$root" 2>/dev/null || true; remove' EXIT
# As the image's own user, in its own environment, on its own files.
inside() { chroot --userspec=10001:10001 "$root" env -i PATH=/opt/gateway/bin:/usr/bin:/bin "$@"; }

say "The user, and what must not be there"
[ "$(inside id -u)" = 10001 ]
for folder in /opt/gateway /etc/gateway ""; do fails inside touch "$folder/x" 2>/dev/null; done
for tool in /opt/gateway/bin/pip /usr/bin/gcc /usr/bin/make; do [ ! -e "$root$tool" ]; done

say "The worker's app, and the gateway's help"
mount --rbind /dev "$root/dev" && mount --make-rslave "$root/dev"
inside python -c 'import gateway.demo.app as demo; print(*sorted(name for name in demo.app.tasks if name.startswith("sii.")))'
inside gateway serve --help >/dev/null

say "No gateway without keys, and keys of its user alone"
fails inside gateway serve --config /etc/gateway/tasks.yaml --host 0.0.0.0 2>"$WORK/refused.log"
grep -q GATEWAY_API_KEYS_FILE "$WORK/refused.log"
key=$(inside gateway keys new --first --name demo --role admin --file /var/lib/gateway/keys 2>/dev/null)
[ "$(stat -c '%a %u' "$root/var/lib/gateway/keys")" = "600 10001" ]

say "A gateway that serves on a read-only root and without capabilities, is healthy, and stops"
port=$(python3 -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])')
store=$(python3 -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])')
redis-server --port "$store" --bind 127.0.0.1 --save '' --dir "$WORK" >/dev/null &
valkey=$!
cp tasks.yaml "$root/etc/gateway/tasks.yaml"
mount -t tmpfs tmpfs "$root/tmp"
mount -o remount,bind,ro "$root"
fails touch "$root/x" 2>/dev/null
chroot "$root" setpriv --reuid 10001 --regid 10001 --clear-groups --bounding-set=-all --no-new-privs \
  env -i PATH=/opt/gateway/bin:/usr/bin:/bin GATEWAY_BROKER_URL="redis://127.0.0.1:$store/0" GATEWAY_PORT="$port" GATEWAY_API_KEYS_FILE=/var/lib/gateway/keys gateway serve --config /etc/gateway/tasks.yaml --host 0.0.0.0 >"$WORK/gateway.log" 2>&1 &
gateway=$!
is_healthy() { inside GATEWAY_PORT="$port" "$@"; }
check=$(sed -n 's/^ *CMD \["python", "-c", "\(.*\)"\]$/\1/p' Dockerfile)
for _ in $(seq 100); do
  ! is_healthy python -c "$check" 2>/dev/null || { healthy=yes; break; }
  sleep 0.1
done
[ "${healthy:-}" = yes ] || { cat "$WORK/gateway.log"; exit 1; }
none=0000000000000000
[ "$(awk '/^(Uid|CapEff|CapPrm|CapBnd|NoNewPrivs):/ { print $2 }' "/proc/$gateway/status" | xargs)" = "10001 $none $none $none 1" ]
tasks="http://127.0.0.1:$port/api/celery/tasks"
[ "$(curl -s -o /dev/null -w '%{http_code}' "$tasks")" = 401 ]
[ "$(curl -s -o /dev/null -w '%{http_code}' -H "X-API-Key: $key" "$tasks")" = 200 ]
kill -TERM "$gateway"
wait "$gateway" || [ $? -eq 143 ]
say "The image holds"
