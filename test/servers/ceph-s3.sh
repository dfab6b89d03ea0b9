#!/usr/bin/env bash
# A real S3 server for tests: one-node Ceph (mon, OSD, RGW) from Debian trixie's packages in a chroot. Needs root.
#
#   ceph-s3.sh install                  fetches the packages once (about 2 minutes, 1.3 GB) into the cache
#   ceph-s3.sh start DIR PORT [HOST]    starts a server with its data in DIR (kept if DIR has some) and prints its
#                                       endpoint, keys and process ids as KEY=VALUE lines once it answers
#   ceph-s3.sh stop DIR                 stops it in the order RGW, OSD, mon; the data stays
#
# The cache is ${GAKUEN_TEST_CACHE:-/var/cache/gakuen-test}/ceph. Mounts live in a mount namespace that ends with the
# daemons, so nothing is left mounted whatever is killed. Exit code 3: this machine cannot run it; stderr says why.
set -euo pipefail

cache=${GAKUEN_TEST_CACHE:-/var/cache/gakuen-test}
root=$cache/ceph
# Inside the chroot a server's folder is always here.
data=/srv/ceph
access_key=gakuen-test secret_key=gakuen-test-secret
# A second user, who owns nothing and may do nothing until a bucket's policy says so.
guest_key=gakuen-guest guest_secret=gakuen-guest-secret

cannot() { echo "ceph-s3.sh: $*" >&2; exit 3; }

check_machine() {
  [[ $(uname -s) == Linux ]] || cannot "Ceph runs here only on Linux"
  [[ $(id -u) == 0 ]] || cannot "only root may chroot; run the tests as root to test against a real S3 server"
  unshare --mount true 2>/dev/null || cannot "mount namespaces are forbidden here (a container without CAP_SYS_ADMIN)"
}

in_namespace() { unshare --mount --propagation private "$BASH" "$0" "$@"; }

mount_system() {
  mount --bind /dev "$1/dev"
  mount -t proc proc "$1/proc"
}

install_packages() {
  [[ -x $root/usr/bin/radosgw ]] && return
  command -v debootstrap >/dev/null || cannot "needs debootstrap (apt-get install debootstrap)"
  mkdir -p "$cache"
  # Others who want it meanwhile wait; what an interrupted run left behind is made anew.
  exec {lock}>"$cache/ceph.lock"
  flock "$lock"
  [[ -x $root/usr/bin/radosgw ]] || in_namespace install-locked >"$cache/ceph-install.log" 2>&1 || {
    tail -5 "$cache/ceph-install.log" >&2
    cannot "could not install Ceph, see $cache/ceph-install.log"
  }
  exec {lock}>&-
}

install_locked() {
  local partial=$root.partial mirror
  rm -rf "$root" "$partial"
  mirror=$(sed -n 's/^deb \(\[[^]]*\] \)\?\([^ ]*\) .*/\2/p; s/^URIs: //p' \
    /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null | grep -m1 '/debian/\?$' || true)
  debootstrap --variant=minbase trixie "$partial" ${mirror:+"$mirror"}
  printf '#!/bin/sh\nexit 101\n' >"$partial/usr/sbin/policy-rc.d"
  chmod +x "$partial/usr/sbin/policy-rc.d"
  cp /etc/resolv.conf "$partial/etc/resolv.conf"
  # A proxy of this machine's apt is needed inside too.
  cp -r /etc/apt/apt.conf.d/. "$partial/etc/apt/apt.conf.d/" 2>/dev/null || true
  mount_system "$partial"
  export DEBIAN_FRONTEND=noninteractive
  chroot "$partial" apt-get update -qq
  chroot "$partial" apt-get install -y -qq --no-install-recommends radosgw ceph-mon ceph-osd ceph-common
  chroot "$partial" apt-get clean
  umount "$partial/dev" "$partial/proc"
  mkdir -p "$partial$data"
  mv "$partial" "$root"
}

# Ceph's own commands fail now and then while the mon elects itself.
retry() { for _ in {1..20}; do "$@" && return 0; sleep 0.3; done; return 1; }
ceph_tool() { chroot "$root" "$1" -c "$data/ceph.conf" "${@:2}"; }

write_configuration() {
  local mon_port=$1
  cat >"$root$data/ceph.conf" <<CONF
[global]
fsid = $(cat /proc/sys/kernel/random/uuid)
mon_host = [v1:127.0.0.1:$mon_port]
mon_initial_members = a
ms_bind_ipv6 = false
ms_bind_msgr2 = false
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
auth_cluster_required = cephx
auth_service_required = cephx
auth_client_required = cephx
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 8
osd_pool_default_pgp_num = 8
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
mon_allow_pool_size_one = true
# A machine for tests may have a full disk; Ceph would stop at its usual marks.
mon_data_avail_warn = 2
mon_data_avail_crit = 1
mon_data = $data/mon
osd_data = $data/osd
run_dir = $data/run
log_file = $data/log/\$name.log
admin_socket = $data/run/\$name.asok
pid_file = $data/run/\$name.pid
keyring = $data/keyring
osd_objectstore = bluestore
bluestore_block_create = true
bluestore_block_size = 8589934592
osd_memory_target = 939524096
[osd]
keyring = $data/osd/keyring
[client.rgw]
rgw_thread_pool_size = 64
CONF
}

# A port below those that the kernel hands out by itself.
free_port() {
  local port=$1
  while (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do port=$((port + 1)); done
  echo "$port"
}

create_cluster() {
  local mon_port fsid osd
  mon_port=$(free_port $((10000 + $1 % 10000)))
  osd=$(cat /proc/sys/kernel/random/uuid)
  mkdir -p "$root$data"/{mon,osd,run,log}
  write_configuration "$mon_port"
  fsid=$(sed -n 's/^fsid = //p' "$root$data/ceph.conf")
  local keys=(chroot "$root" ceph-authtool "$data/keyring" --gen-key)
  chroot "$root" monmaptool --create --clobber --fsid "$fsid" --addv a "[v1:127.0.0.1:$mon_port]" "$data/monmap"
  "${keys[@]}" --create-keyring -n mon. --cap mon 'allow *'
  "${keys[@]}" -n client.admin --cap mon 'allow *' --cap osd 'allow *'
  "${keys[@]}" -n client.rgw --cap mon 'allow *' --cap osd 'allow *'
  ceph_tool ceph-mon --mkfs -i a --monmap "$data/monmap" --keyring "$data/keyring"
  ceph_tool ceph-mon -i a
  retry ceph_tool ceph --connect-timeout 10 osd new "$osd"
  chroot "$root" ceph-authtool --create-keyring "$data/osd/keyring" --gen-key -n osd.0
  ceph_tool ceph-osd -i 0 --mkfs --no-mon-config --osd-uuid "$osd"
  retry ceph_tool ceph --connect-timeout 10 osd crush add osd.0 1.0 host=local root=default
  retry ceph_tool ceph --connect-timeout 10 auth add osd.0 osd 'allow *' mon 'allow profile osd' -i "$data/osd/keyring"
  ceph_tool ceph-osd -i 0
  ceph_tool radosgw-admin -n client.rgw user create --uid=gakuen --display-name=gakuen \
    --access-key="$access_key" --secret-key="$secret_key"
  ceph_tool radosgw-admin -n client.rgw user create --uid=guest --display-name=guest \
    --access-key="$guest_key" --secret-key="$guest_secret"
  touch "$root$data/created"
}

# In the mount namespace: starts what is not running, with DIR mounted where the chroot sees it.
start_daemons() {
  local dir=$1 port=$2 host=$3
  mount_system "$root"
  mount --bind "$dir" "$root$data"
  if [[ -e $dir/created ]]; then
    ceph_tool ceph-mon -i a
    ceph_tool ceph-osd -i 0
  else
    create_cluster "$port"
  fi
  ceph_tool radosgw -n client.rgw --rgw-frontends "beast endpoint=$host:$port"
}

answers() { # HOST PORT
  (exec 3<>"/dev/tcp/$1/$2" && printf 'GET / HTTP/1.0\r\n\r\n' >&3 && timeout 2 head -c 4 <&3 | grep -q HTTP) 2>/dev/null
}

start() {
  local dir port=$2 host=${3:-127.0.0.1}
  check_machine
  install_packages
  stop "$1"
  dir=$(realpath -m "$1")
  # A cluster that was never finished is of no use.
  [[ -e $dir/created ]] || rm -rf "${dir:?}"/{mon,osd,run,log,keyring,monmap,ceph.conf}
  mkdir -p "$dir"
  in_namespace start-daemons "$dir" "$port" "$host" >"$dir/start.log" 2>&1 </dev/null ||
    { tail -20 "$dir/start.log" >&2; stop "$dir"; exit 1; }
  local endpoint=http://$host:$port
  for _ in {1..300}; do answers "$host" "$port" && break; sleep 0.1; done
  answers "$host" "$port" || { echo "RGW did not answer at $endpoint; see $dir/log" >&2; stop "$dir"; exit 1; }
  cat <<LINES
AWS_ENDPOINT_URL_S3=$endpoint
AWS_ACCESS_KEY_ID=$access_key
AWS_SECRET_ACCESS_KEY=$secret_key
AWS_REGION=us-east-1
GUEST_ACCESS_KEY_ID=$guest_key
GUEST_SECRET_ACCESS_KEY=$guest_secret
RGW_PID=$(cat "$dir/run/client.rgw.pid")
OSD_PID=$(cat "$dir/run/osd.0.pid")
MON_PID=$(cat "$dir/run/mon.a.pid")
LINES
}

# Whether a process is the daemon of our pid file and not another that got its number later.
is_daemon() { [[ $(tr '\0' ' ' 2>/dev/null <"/proc/$1/cmdline") == *" -c $data/ceph.conf "* ]]; }

stop() {
  local dir daemon file pid
  dir=$(realpath -m "$1")
  for daemon in client.rgw osd.0 mon.a; do
    file=$dir/run/$daemon.pid
    [[ -f $file ]] || continue
    pid=$(cat "$file")
    if [[ -n $pid ]] && is_daemon "$pid"; then
      kill "$pid" 2>/dev/null || true
      for _ in {1..100}; do is_daemon "$pid" || break; sleep 0.1; done
      ! is_daemon "$pid" || kill -9 "$pid" 2>/dev/null || true
    fi
    rm -f "$file"
  done
}

usage() { sed -n '2,12s/^# \{0,1\}//p' "$0" >&2; exit 2; }

case ${1:-} in
  install) check_machine; install_packages ;;
  start) [[ $# -ge 3 ]] || usage; start "${@:2}" ;;
  stop) [[ $# -eq 2 ]] || usage; stop "$2" ;;
  install-locked) install_locked ;;
  start-daemons) start_daemons "${@:2}" ;;
  *) usage ;;
esac
