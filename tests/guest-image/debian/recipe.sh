# shellcheck shell=bash
# A real Debian with the real cloud-init, OpenSSH and qemu-guest-agent, as a cloud image has them.
# Read by build.sh.

BOOT_MIB=192
# cloud-init's logs, apt and whatever a test adds need room; what is not used is a hole.
ROOT_MIB=1900
# Uncompressed: a guest under emulation reads it all the time.
# shellcheck disable=SC2034 # its reader is build.sh
QCOW2_OPTIONS=()

# debian.qcow2 boots the generic kernel, debian-cloud.qcow2 the one of Debian's images for clouds, which has
# drivers for fewer devices: what a template attaches has to be seen by both.
# shellcheck disable=SC2034 # its reader is build.sh
KERNELS=(cloud)
PACKAGES=(
  linux-image-amd64 linux-image-cloud-amd64 initramfs-tools systemd-sysv dbus udev kmod procps iproute2 iputils-ping
  ifupdown isc-dhcp-client netbase cloud-init cloud-guest-utils e2fsprogs openssh-server sudo
  qemu-guest-agent acpid ca-certificates less
)

# Runs inside the new root.
# shellcheck disable=SC2016
CUSTOMIZE='
  set -euo pipefail
  . /failure.sh
  cat >/etc/fstab <<FSTAB
LABEL=lvhost-root / ext4 defaults,errors=remount-ro 0 1
FSTAB
  echo debian >/etc/hostname
  printf "127.0.0.1 localhost\n127.0.1.1 debian\n::1 localhost ip6-localhost\n" >/etc/hosts
  echo "A guest made for the tests of lvhost by tests/guest-image. Not for any other use." \
    >/etc/lvhost-guest
  # The user that the plugin documentation logs in as, and the one sought instead of waiting for
  # data sources of real clouds.
  cat >/etc/cloud/cloud.cfg.d/90-lvhost-guest.cfg <<CLOUD
datasource_list: [NoCloud, None]
system_info:
  default_user:
    name: ubuntu
    gecos: lvhost test user
    shell: /bin/bash
    lock_passwd: true
    sudo: ["ALL=(ALL) NOPASSWD:ALL"]
CLOUD
  # Keys of its own for each guest: cloud-init makes them at the first boot, and these only,
  # because an RSA key takes a while under emulation.
  rm -f /etc/ssh/ssh_host_*
  echo "ssh_genkeytypes: [ed25519, ecdsa]" >>/etc/cloud/cloud.cfg.d/90-lvhost-guest.cfg
  # Nothing here may start work of its own in the middle of a test.
  systemctl disable apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer \
    e2scrub_reap.service fstrim.timer man-db.timer >/dev/null 2>&1 || true
  systemctl enable serial-getty@ttyS0.service >/dev/null 2>&1
  : >/etc/machine-id
  apt-get clean
  rm -rf /var/lib/apt/lists/* /usr/share/doc/* /usr/share/man/* /usr/share/locale/* /var/log/apt
'

# Runs under as_owner, in a shell of its own: owners set by one call are lost to the next.
# shellcheck disable=SC2016
MAKE_ROOT_IMAGE='
  set -euo pipefail
  . "$FAILURE"
  mkdir "$2"
  tar -x -f "$1" -C "$2" --numeric-owner --exclude="./dev/*"
  mke2fs -q -t ext4 -d "$2" -L lvhost-root -m 1 -E lazy_itable_init=0,root_owner=0:0 "$3" "$4M"
'

build_guest() {
  local packages mode=unshare mirror
  packages=$(IFS=,; printf '%s' "${PACKAGES[*]}")
  # Root may do as it likes; anybody else needs a user namespace with a range of ids.
  [ "$(id -u)" != 0 ] || mode=root
  # The mirror this host uses. Sources with a suite of updates or security fixes are added, for
  # the kernel that is in the archive today.
  mirror=$(debian_mirror "$CODENAME")
  [ -n "$mirror" ] || die "apt is configured for no Debian mirror"
  say "installing $packages by mmdebstrap (mode $mode)"
  printf '%s' "$CUSTOMIZE" >"$WORK/customize.sh"
  mmdebstrap --quiet --mode="$mode" --variant=minbase --include="$packages" \
    --aptopt='APT::Install-Recommends "false"' \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' \
    --customize-hook="upload '$WORK/customize.sh' /customize.sh" \
    --customize-hook="upload '$FAILURE' /failure.sh" \
    --customize-hook='chroot "$1" bash /customize.sh && rm "$1/customize.sh" "$1/failure.sh"' \
    --customize-hook="sync-out /boot '$WORK/boot-files'" \
    "$CODENAME" "$WORK/root.tar" "$mirror" >&2
  mkdir "$WORK/boot"
  local cloud
  # Names of 8.3 characters are what syslinux finds on any FAT.
  for cloud in "$WORK"/boot-files/*-cloud-amd64; do
    case ${cloud##*/} in
      vmlinuz-*) mv "$cloud" "$WORK/boot/vmlinuz.cld" ;;
      initrd.img-*) mv "$cloud" "$WORK/boot/initrd.cld" ;;
    esac
  done
  cp "$WORK"/boot-files/vmlinuz-* "$WORK/boot/vmlinuz"
  cp "$WORK"/boot-files/initrd.img-* "$WORK/boot/initrd.img"
  cp "$HERE/debian/syslinux.cfg" "$WORK/boot/"
  say "making the root file system"
  as_owner bash -c "$MAKE_ROOT_IMAGE" "making the root file system" "$WORK/root.tar" "$WORK/root" "$WORK/root.ext4" "$ROOT_MIB"
  rm -r "$WORK/root.tar"
  as_owner rm -rf "$WORK/root"
  assemble_disk "$WORK/boot" "$BOOT_MIB" "$WORK/root.ext4"
}
