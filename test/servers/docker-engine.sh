#!/usr/bin/env bash
# A real Docker Engine for tests where no image registry can be reached, with stand-ins for the official base images
# made from Debian's packages and npm's: debian:bookworm-slim, node:24-bookworm-slim, postgres:18 (Debian's server 15
# behind the official image's contract). Needs root and Debian.
#
#   docker-engine.sh start [DIR]   starts it (a few minutes the first time, then a second) and prints DOCKER_HOST and
#                                  DOCKER_CONFIG as KEY=VALUE lines
#   docker-engine.sh stop [DIR]    stops it and takes its network rules away; images and build cache stay in DIR
#
# DIR is ${GAKUEN_TEST_CACHE:-/var/cache/gakuen-test}/docker unless told. Exit code 3: this machine cannot run it;
# stderr says why.
set -euo pipefail

command=${1:?start or stop}
dir=$(realpath -m "${2:-${GAKUEN_TEST_CACHE:-/var/cache/gakuen-test}/docker}")
project=$(realpath "$(dirname "$0")/../..")
export DOCKER_HOST=unix://$dir/docker.sock DOCKER_CONFIG=$dir/config DEBIAN_FRONTEND=noninteractive
mirror=$(sed -n 's/^deb \(\[[^]]*\] \)\?\([^ ]*\) .*/\2/p; s/^URIs: //p' \
  /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null | grep -m1 '/debian/\?$' || true)

cannot() { echo "docker-engine.sh: $*" >&2; exit 3; }

check_machine() {
  [[ $(id -u) == 0 ]] || cannot "only root may run a Docker Engine"
  command -v apt-get >/dev/null || cannot "its parts come from Debian's packages"
  [[ -n $mirror ]] || cannot "no Debian mirror stands in /etc/apt"
}

install_packages() {
  local missing=()
  for package in docker.io debootstrap iptables; do
    dpkg -s "$package" >/dev/null 2>&1 || missing+=("$package")
  done
  ((${#missing[@]} == 0)) && return
  apt-get update -qq
  # The engine is started below, not by the package.
  RUNLEVEL=1 apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

# Compose and buildx are single binaries; Debian has current ones in sid alone.
install_plugins() {
  local plugins=$DOCKER_CONFIG/cli-plugins sid=$dir/sid
  [[ -x $plugins/docker-compose && -x $plugins/docker-buildx ]] && return
  mkdir -p "$plugins" "$sid/lists/partial" "$sid/debs"
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror sid main" >"$sid/sources.list"
  local options=(-o "Dir::Etc::sourcelist=$sid/sources.list" -o Dir::Etc::sourceparts=/dev/null
    -o "Dir::State::lists=$sid/lists" -o APT::Sandbox::User=root)
  apt-get "${options[@]}" update -qq
  (cd "$sid/debs" && apt-get "${options[@]}" download -qq docker-compose docker-buildx)
  for deb in "$sid"/debs/*.deb; do dpkg -x "$deb" "$sid/root"; done
  find "$sid/root" \( -name docker-compose -o -name docker-buildx \) -type f -perm -100 -exec cp {} "$plugins/" \;
  rm -rf "$sid"
}

start_engine() {
  docker info >/dev/null 2>&1 && return
  setsid dockerd --data-root "$dir/data" --exec-root "$dir/exec" --pidfile "$dir/dockerd.pid" -H "$DOCKER_HOST" \
    >"$dir/dockerd.log" 2>&1 </dev/null &
  disown
  for _ in $(seq 150); do
    docker info >/dev/null 2>&1 && return
    sleep 0.2
  done
  tail -5 "$dir/dockerd.log" >&2
  cannot "the engine does not start, see $dir/dockerd.log"
}

have() { docker image inspect "$1" >/dev/null 2>&1; }

# As the official slim image has it: no manuals, no translations, nothing that apt would keep.
make_debian() {
  local root=$dir/rootfs
  rm -rf "$root"
  debootstrap --variant=minbase --include=ca-certificates bookworm "$root" "$mirror" >"$dir/debootstrap.log" 2>&1
  cp /etc/apt/sources.list.d/*.sources "$root/etc/apt/sources.list.d/" 2>/dev/null && : >"$root/etc/apt/sources.list"
  # A proxy of this machine's apt is needed inside too.
  cp -r /etc/apt/apt.conf.d/*proxy* "$root/etc/apt/apt.conf.d/" 2>/dev/null || true
  cat >"$root/etc/apt/apt.conf.d/docker-clean" <<'APT'
DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/archives/partial/*.deb /var/cache/apt/*.bin || true"; };
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
Acquire::Languages "none";
APT
  printf 'path-exclude /usr/share/%s/*\n' doc man info locale lintian >"$root/etc/dpkg/dpkg.cfg.d/docker"
  rm -rf "$root"/usr/share/{doc,man,info,locale,lintian}/* "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/*
  tar -C "$root" -c . | docker import - debian:bookworm-slim >/dev/null
  rm -rf "$root"
}

make_node() {
  local context=$dir/node-image arch
  arch=$([[ $(uname -m) == aarch64 ]] && echo arm64 || echo x64)
  local node=$project/node_modules/node-linux-$arch/bin/node
  [[ -x $node ]] || cannot "$node is missing; run scripts/setup.sh"
  rm -rf "$context"
  mkdir -p "$context/usr/local/bin" "$context/usr/local/lib/node_modules"
  cp "$node" "$context/usr/local/bin/"
  (cd "$context" && npm pack --silent npm@11 >/dev/null && tar xzf npm-*.tgz && rm -f npm-*.tgz)
  mv "$context/package" "$context/usr/local/lib/node_modules/npm"
  chmod +x "$context"/usr/local/lib/node_modules/npm/bin/*.js
  ln -s ../lib/node_modules/npm/bin/npm-cli.js "$context/usr/local/bin/npm"
  # The registry may be reached through a proxy with a certificate of its own.
  cat "${NODE_EXTRA_CA_CERTS:-/etc/ssl/certs/ca-certificates.crt}" >"$context/ca.crt"
  cat >"$context/Dockerfile" <<'DOCKERFILE'
FROM debian:bookworm-slim
RUN groupadd --gid 1000 node && useradd --uid 1000 --gid node --shell /bin/bash --create-home node
COPY usr/ /usr/
COPY ca.crt /usr/local/share/host-ca.crt
ENV NODE_EXTRA_CA_CERTS=/usr/local/share/host-ca.crt
CMD ["node"]
DOCKERFILE
  docker build -q -t node:24-bookworm-slim "$context" >/dev/null
  rm -rf "$context"
}

make_postgres() {
  local context=$dir/postgres-image
  mkdir -p "$context"
  cat >"$context/docker-entrypoint.sh" <<'SH'
#!/bin/sh
# The part of the official image's contract that a compose file uses: POSTGRES_USER, POSTGRES_PASSWORD_FILE,
# POSTGRES_DB, PGDATA, started as the user postgres.
set -eu
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  mkdir -p "$PGDATA"
  chmod 700 "$PGDATA"
  initdb -D "$PGDATA" -U "$POSTGRES_USER" --pwfile="$POSTGRES_PASSWORD_FILE" \
    --auth-host=scram-sha-256 --auth-local=trust -E UTF8 >/dev/null
  echo "host all all all scram-sha-256" >>"$PGDATA/pg_hba.conf"
  pg_ctl -D "$PGDATA" -o "-c listen_addresses=''" -w start >/dev/null
  createdb -U "$POSTGRES_USER" "$POSTGRES_DB"
  pg_ctl -D "$PGDATA" -m fast -w stop >/dev/null
fi
exec "$@" -c listen_addresses='*'
SH
  cat >"$context/Dockerfile" <<'DOCKERFILE'
FROM debian:bookworm-slim
RUN groupadd -r postgres --gid=999 \
 && useradd -r -g postgres --uid=999 --home-dir=/var/lib/postgresql --shell=/bin/bash postgres \
 && apt-get update && apt-get install -y --no-install-recommends postgresql \
 && rm -rf /var/lib/apt/lists/* /var/lib/postgresql \
 && install -d -o postgres -g postgres -m 1777 /var/lib/postgresql \
 && install -d -o postgres -g postgres -m 3777 /var/run/postgresql
ENV PATH=/usr/lib/postgresql/15/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin PGDATA=/var/lib/postgresql/18/docker
COPY --chmod=755 docker-entrypoint.sh /usr/local/bin/
VOLUME /var/lib/postgresql
STOPSIGNAL SIGINT
ENTRYPOINT ["docker-entrypoint.sh"]
CMD ["postgres"]
DOCKERFILE
  docker build -q -t postgres:18 "$context" >/dev/null
  rm -rf "$context"
}

start() {
  check_machine
  mkdir -p "$dir"
  install_packages
  install_plugins
  start_engine
  have debian:bookworm-slim || make_debian
  have node:24-bookworm-slim || make_node
  have postgres:18 || make_postgres
  printf 'DOCKER_HOST=%s\nDOCKER_CONFIG=%s\n' "$DOCKER_HOST" "$DOCKER_CONFIG"
}

stop() {
  [[ -f $dir/dockerd.pid ]] || return 0
  local pid
  pid=$(cat "$dir/dockerd.pid")
  kill "$pid" 2>/dev/null || true
  for _ in $(seq 120); do
    kill -0 "$pid" 2>/dev/null || break
    sleep 0.25
  done
  ip link del docker0 2>/dev/null || true
  # The engine leaves its rules behind.
  for table in filter nat; do
    iptables -t "$table" -S 2>/dev/null | grep -E '^-A (FORWARD|PREROUTING|OUTPUT|POSTROUTING) ' |
      grep -iE 'docker|172\.1[78]\.' | sed 's/^-A/-D/' | while read -r rule; do eval "iptables -t $table $rule" || true; done
    chains=$(iptables -t "$table" -S 2>/dev/null | grep -oE '^-N DOCKER\S*' | cut -c4- || true)
    for chain in $chains; do iptables -t "$table" -F "$chain"; done
    for chain in $chains; do iptables -t "$table" -X "$chain" || true; done
  done
  iptables -P FORWARD ACCEPT 2>/dev/null || true
}

case $command in
  start) start ;;
  stop) stop ;;
  *) echo "start or stop" >&2; exit 2 ;;
esac
