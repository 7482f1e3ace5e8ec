#!/usr/bin/env bash
# libvirt.sh: gives the tests and the demo a libvirt to talk to.
#
#   libvirt.sh system
#       Makes sure that qemu:///system answers, and that it has an active network and an active
#       storage pool named `default`. Uses systemd's services where systemd runs, and starts the
#       daemons itself where it does not. Needs root, or sudo, or membership in group libvirt.
#       Prints nothing on standard output; may be run as often as one likes.
#
#   libvirt.sh session DIRECTORY COMMAND [ARGUMENT...]
#       Runs COMMAND with a private, unprivileged hypervisor behind qemu:///session. All its state
#       lies below DIRECTORY (keep that path short: it holds unix sockets, whose paths end at 108
#       bytes); a pool `default` in DIRECTORY/pool is there. The daemon is started by the first
#       connection and stopped when COMMAND ends; DIRECTORY stays, the artifacts lie in it.
#       The state of domains that are still running then is lost: they are destroyed.
#       Called by root, it runs COMMAND as an unprivileged user (LVHOST_SESSION_USER, by default
#       nobody), since root's qemu:///session is no private one and passt refuses to serve root.
#       COMMAND then needs to be something that user can read.
#
#   libvirt.sh domain-type
#       Prints `kvm` where KVM can run a guest for the user that `session` would use, else `qemu`.
set -euo pipefail
# shellcheck source=tests/set-up/failure.sh
. "$(dirname "${BASH_SOURCE[0]}")/failure.sh"

POOL_DIRECTORY=${LVHOST_POOL_DIRECTORY:-/var/lib/libvirt/images}
SESSION_USER=${LVHOST_SESSION_USER:-nobody}
SYSTEM=qemu:///system
# virsh translates its messages, and asks nothing when its input is no terminal.
export LC_ALL=C

say() { printf 'libvirt: %s\n' "$*" >&2; }
die() { say "error: $*"; exit 1; }

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"
  elif command -v sudo >/dev/null; then sudo "$@"
  else die "this needs root, and there is no sudo; as root, run: $*"; fi
}

answers() { timeout 20 virsh -q -c "$1" uri >/dev/null 2>&1; }

start_system_daemons() {
  if [ -d /run/systemd/system ]; then
    say "starting libvirt's services by systemd"
    as_root systemctl start virtlogd.socket libvirtd.socket ||
      as_root systemctl start virtlogd.socket virtqemud.socket virtnetworkd.socket \
        virtstoraged.socket
  else
    # Without virtlogd no domain with a serial console starts.
    if [ ! -S /run/libvirt/virtlogd-sock ] || ! as_root pgrep -x virtlogd >/dev/null; then
      say "no systemd here: starting virtlogd"
      as_root virtlogd -d
    fi
    say "no systemd here: starting libvirtd"
    as_root libvirtd -d
  fi
  local attempt
  for attempt in $(seq 1 100); do
    answers "$SYSTEM" && return
    sleep 0.2
  done
  if [ "$(id -u)" != 0 ] && as_root virsh -q -c "$SYSTEM" uri >/dev/null 2>&1; then
    die "$SYSTEM answers root but not $(id -un): run \"sudo adduser $(id -un) libvirt\" and log in anew"
  fi
  die "$SYSTEM does not answer after $((attempt / 5)) s; run \"virsh -c $SYSTEM uri\" to see why"
}

# Not through a pipe into `grep -q`, which would end virsh by a signal once it has seen enough.
network_is_active() {
  [[ $(virsh -q -c "$SYSTEM" net-info "$1" 2>/dev/null || true) =~ Active:\ +yes ]]
}
pool_is_active() {
  [[ $("${@:2}" virsh -q -c "$1" pool-info default 2>/dev/null || true) =~ State:\ +running ]]
}

# Others may do the same at the same time, so a failure counts only if the thing is not there
# afterwards either.
ensure_network() {
  local network=default log
  network_is_active "$network" && return
  log=$(mktemp)
  if ! virsh -q -c "$SYSTEM" net-info "$network" >/dev/null 2>&1; then
    say "defining the network $network"
    virsh -q -c "$SYSTEM" net-define /dev/stdin <<XML >"$log" 2>&1 || true
<network>
  <name>$network</name>
  <bridge name='virbr0' stp='on' delay='0'/>
  <forward mode='nat'/>
  <ip address='192.168.122.1' netmask='255.255.255.0'>
    <dhcp><range start='192.168.122.2' end='192.168.122.254'/></dhcp>
  </ip>
</network>
XML
  fi
  say "starting the network $network"
  virsh -q -c "$SYSTEM" net-start "$network" >>"$log" 2>&1 || true
  # Where the host may make no bridge or firewall rule, tests of managed networks have to be
  # skipped; all others can still run.
  network_is_active "$network" || say "warning: it cannot be started here: $(cat "$log")"
  rm "$log"
}

# ensure_pool URI DIRECTORY [PREFIX...]: PREFIX is what runs virsh as somebody else.
ensure_pool() {
  local uri=$1 directory=$2 log
  shift 2
  pool_is_active "$uri" "$@" && return
  log=$(mktemp)
  if ! "$@" virsh -q -c "$uri" pool-info default >/dev/null 2>&1; then
    say "$uri: defining the storage pool default in $directory"
    "$@" virsh -q -c "$uri" pool-define-as default dir --target "$directory" >"$log" 2>&1 || true
  fi
  say "$uri: starting the storage pool default"
  "$@" virsh -q -c "$uri" pool-build default >>"$log" 2>&1 || true
  "$@" virsh -q -c "$uri" pool-start default >>"$log" 2>&1 || true
  pool_is_active "$uri" "$@" || die "$uri has no storage pool default: $(cat "$log")"
  rm "$log"
}

# An upgrade leaves the old daemon running where no systemd restarts it. It would load the new
# release's drivers, which it cannot. Running domains go on without it.
stop_outdated_daemon() {
  local pid
  [ ! -d /run/systemd/system ] || return 0
  for pid in $(pgrep -x libvirtd || true); do
    [ "$(stat -c %u "/proc/$pid")" = 0 ] || continue
    [[ $(as_root readlink "/proc/$pid/exe") == *' (deleted)' ]] || continue
    say "libvirtd (process $pid) is of a release that has been replaced: restarting it"
    as_root kill "$pid"
    while as_root kill -0 "$pid" 2>/dev/null; do sleep 0.1; done
  done
}

system() {
  stop_outdated_daemon
  answers "$SYSTEM" || start_system_daemons
  # libvirtd can outlive the log daemon it needs.
  if [ ! -d /run/systemd/system ] && ! pgrep -x virtlogd >/dev/null; then
    say "no systemd here: starting virtlogd"
    as_root virtlogd -d
  fi
  ensure_network
  ensure_pool "$SYSTEM" "$POOL_DIRECTORY"
  say "$SYSTEM answers: $(virsh -q -c "$SYSTEM" version --daemon | sed -n 's/^Running hypervisor: //p')"
}

# as_session_user COMMAND...: the user a session belongs to, with nothing of the caller's
# environment that would lead back to the caller's own files.
as_session_user() {
  if [ "$(id -u)" != 0 ]; then "$@"; return; fi
  local group
  group=$(id -g "$SESSION_USER") || die "there is no user $SESSION_USER"
  setpriv --reuid "$SESSION_USER" --regid "$group" --clear-groups --inh-caps=-all \
    --bounding-set=-all --no-new-privs -- "$@"
}

stop_session_daemons() {
  local file pid attempt domain
  # Asking libvirt to destroy the domains is cleaner than to end their processes; it is asked
  # only if its daemon still runs, lest the question start one.
  [ -S "$SESSION/run/libvirt/libvirt-sock" ] || [ -S "$SESSION/run/libvirt/virtqemud-sock" ] || return 0
  for domain in $(in_session timeout 20 virsh -q -c qemu:///session list --uuid 2>/dev/null); do
    say "destroying the domain $domain, which was left running"
    in_session virsh -q -c qemu:///session destroy "$domain" >&2 || true
  done
  for file in "$SESSION"/run/libvirt/*.pid; do
    [ -e "$file" ] || continue
    pid=$(cat "$file")
    # A stale file may name a process of somebody else.
    case $(cat "/proc/$pid/comm" 2>/dev/null || true) in
      libvirtd | virtlogd | virtqemud | virtnetworkd | virtstoraged | virtlockd) ;;
      *) continue ;;
    esac
    kill "$pid" 2>/dev/null || continue
    for attempt in $(seq 1 50); do
      kill -0 "$pid" 2>/dev/null || break
      sleep 0.1
    done
    # Seen: one that was asked to end while still starting waits for its idle time-out. Nothing of
    # a private hypervisor without domains is worth waiting for.
    if [ "$attempt" = 50 ]; then kill -KILL "$pid" 2>/dev/null || true; fi
  done
}

in_session() {
  as_session_user env -u DISPLAY -u DBUS_SESSION_BUS_ADDRESS -u LIBVIRT_DEFAULT_URI \
    HOME="$SESSION" TMPDIR="$SESSION/tmp" \
    XDG_CONFIG_HOME="$SESSION/config" XDG_CACHE_HOME="$SESSION/cache" \
    XDG_DATA_HOME="$SESSION/data" XDG_STATE_HOME="$SESSION/state" \
    XDG_RUNTIME_DIR="$SESSION/run" "$@"
}

session() {
  [ $# -ge 2 ] || die "usage: $0 session DIRECTORY COMMAND [ARGUMENT...]"
  mkdir -p "$1"
  SESSION=$(cd "$1" && pwd)
  shift
  # libvirt puts .../config/libvirt/qemu/lib/domain-N-NAME/monitor.sock below it.
  [ ${#SESSION} -le 40 ] || die "$SESSION is too long for unix sockets below it (40 bytes at most)"
  local part
  for part in config cache data state run tmp pool; do
    mkdir -p "$SESSION/$part"
    chmod 700 "$SESSION/$part"
  done
  # Artifacts are for others to read.
  chmod 755 "$SESSION" "$SESSION/pool"
  if [ "$(id -u)" = 0 ]; then
    chown "$SESSION_USER:$(id -gn "$SESSION_USER")" "$SESSION" "$SESSION"/{config,cache,data,state,run,tmp,pool}
    say "the session runs as $SESSION_USER"
  fi
  trap stop_session_daemons EXIT
  cd "$SESSION"
  in_session virsh -q -c qemu:///session uri >/dev/null || die "qemu:///session does not start"
  ensure_pool qemu:///session "$SESSION/pool" in_session
  # A new daemon looks at every emulator there is when it is first asked about them: seconds that
  # belong to the set-up and not to COMMAND.
  in_session virsh -q -c qemu:///session version >/dev/null || true
  in_session "$@"
}

# A boot sector of four bytes of code: it tells QEMU's isa-debug-exit device to end the process
# with status 2 * 16 + 1. Nothing less shows that KVM works: /dev/kvm may open and a guest's
# first instruction in real mode may still fail.
domain_type() {
  local directory status=0
  directory=$(mktemp -d "${TMPDIR:-/tmp}/lvhost-kvm.XXXXXX")
  { printf '\xb0\x10\xe6\xf4\xf4'; head -c 505 /dev/zero; printf '\x55\xaa'; } >"$directory/sector"
  chmod 755 "$directory"
  as_session_user timeout 10 qemu-system-x86_64 -accel kvm -machine pc -cpu host -m 32 -nodefaults \
    -display none -device isa-debug-exit,iobase=0xf4,iosize=4 \
    -drive "file=$directory/sector,format=raw,if=ide,snapshot=off,readonly=off" \
    >/dev/null 2>&1 </dev/null || status=$?
  rm -r "$directory"
  if [ "$status" = 33 ]; then echo kvm; else echo qemu; fi
}

case ${1:-} in
  system) system ;;
  session) shift; session "$@" ;;
  domain-type) domain_type ;;
  *) die "usage: $0 system | session DIRECTORY COMMAND [ARGUMENT...] | domain-type" ;;
esac
