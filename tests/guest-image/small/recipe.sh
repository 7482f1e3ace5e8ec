# shellcheck shell=bash
# A tiny Linux: Debian's kernel, busybox, dash, dropbear, sftp-server, scp, ip and qemu-guest-agent on a
# root of their own that keeps what is written to it. Its init (root/etc/init.d/rcS) takes a DHCP
# lease, reads a NoCloud seed's SSH keys and host name, and starts sshd. It boots by BIOS, and by UEFI
# with Secure Boot. Beside it is a disc that boots the same system and asks what to set up. Read by
# build.sh.

# shellcheck disable=SC2034 # its reader is build.sh
QCOW2_OPTIONS=(-c)
BOOT_MIB=32
# Room for tests to write to; what is not used is a hole in the image.
ROOT_MIB=224

# What boots it: shim, signed by Microsoft, starts Debian's GRUB, which starts Debian's kernel. And what
# boots the disc.
LOADERS=(shim-signed grub-efi-amd64-signed isolinux)

# What is taken out of which package, beside the shared libraries these need.
PACKAGES=(busybox-static dash dropbear-bin openssh-client openssh-sftp-server qemu-guest-agent
  iproute2)
PROGRAMS=(
  bin/busybox bin/dash usr/sbin/dropbear usr/bin/dropbearkey usr/bin/scp usr/lib/openssh/sftp-server
  usr/lib/sftp-server usr/sbin/qemu-ga bin/ip
)

# Drivers are loaded for the devices that are there. These are in the initramfs, to reach the root
# file system on any bus a template may name; the first two are no device's and always loaded.
BOOT_MODULES=(crc32c_generic ext4 virtio_pci virtio_blk virtio_scsi ahci ata_piix sd_mod mptspi
  sym53c8xx usb_storage xhci_pci ehci_pci uhci_hcd)
# For everything else.
ROOT_MODULES=(efivarfs virtio_net e1000 e1000e 8139cp virtio_rng virtio_console virtio_balloon
  button evdev sr_mod isofs floppy vfat nls_cp437 nls_iso8859-1 nls_ascii nls_utf8 loop
  usbhid hid_generic)

# With the lists this host's apt has; fetch_packages says when there are others.
APT_LISTS=()

# download_packages: downloads the packages and all they depend on as if nothing were installed.
download_packages() {
  local kernel
  kernel=$(apt-cache "${APT_LISTS[@]}" depends linux-image-amd64 2>/dev/null |
    sed -n '/^ *Depends: / { s///p; q }' || true)
  [ -n "$kernel" ] || return 1
  say "downloading $kernel, ${PACKAGES[*]} and what they need"
  apt-get "${APT_LISTS[@]}" -qq -y --no-install-recommends --download-only \
    -o Dir::State::status="$WORK/no-status" -o Debug::NoLocking=1 \
    -o Dir::Cache::archives="$WORK/debs" -o APT::Sandbox::User= install "${PACKAGES[@]}" >&2 || return 1
  # Their own dependencies are for hosts that install a kernel or a loader by Debian's tools.
  (cd "$WORK/debs" &&
    apt-get "${APT_LISTS[@]}" -qq -o APT::Sandbox::User= download "$kernel" "${LOADERS[@]}" >&2)
}

# A container has no lists, and old ones name packages that the mirror no longer has: then they are fetched
# anew, for this one use, since only root may renew the host's.
fetch_packages() {
  mkdir -p "$WORK/debs/partial" "$WORK/lists/partial"
  : >"$WORK/no-status"
  download_packages && return
  say "not with this host's package lists: fetching them anew"
  APT_LISTS=(-o Dir::State::lists="$WORK/lists" -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache=)
  apt-get "${APT_LISTS[@]}" -qq -o Debug::NoLocking=1 -o APT::Sandbox::User= update >&2 ||
    die "apt-get could not update its lists"
  download_packages || die "apt could not download what the guest is made of"
}

unpack_packages() {
  local deb top
  mkdir -p "$WORK/stage"
  for top in bin sbin lib lib64; do
    mkdir -p "$WORK/stage/usr/$top"
    ln -s "usr/$top" "$WORK/stage/$top"
  done
  for deb in "$WORK"/debs/*.deb; do
    case ${deb##*/} in perl* | libperl* | dpkg_* | tar_*) continue ;; esac
    dpkg-deb --fsys-tarfile "$deb" | tar -x --keep-directory-symlink -C "$WORK/stage" \
      --exclude='./usr/share/doc' --exclude='./usr/share/man' --exclude='./usr/share/locale' \
      --exclude='./dev'
  done
}

# copy_with_libraries FILE: FILE of the stage into the root, with every library it names.
copy_with_libraries() {
  local file=$1 library path
  [ -e "$WORK/root/$file" ] && return
  mkdir -p "$WORK/root/$(dirname "$file")"
  if [ -L "$WORK/stage/$file" ]; then
    cp -P "$WORK/stage/$file" "$WORK/root/$file"
    path=$(realpath --relative-to="$WORK/stage" "$WORK/stage/$file")
    copy_with_libraries "$path"
    return
  fi
  cp "$WORK/stage/$file" "$WORK/root/$file"
  for library in $(readelf -d "$WORK/stage/$file" 2>/dev/null | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p') \
    $(readelf -l "$WORK/stage/$file" 2>/dev/null | sed -n 's|.*interpreter: /\(.*\)\]|\1|p'); do
    case $library in
      */*) path=$library ;;
      *)
        path=$(cd "$WORK/stage" && find usr/lib -name "$library" -print | head -n 1)
        [ -n "$path" ] || die "no package has $library, which $file needs"
        ;;
    esac
    copy_with_libraries "$path"
  done
}

# copy_modules TREE MODULE...: modules of the stage and those they depend on into TREE.
copy_modules() {
  local tree=$1 name path
  shift
  for name in "$@"; do
    # Built into some kernels, a module of its own in others.
    modprobe -d "$WORK/stage" -S "$KERNEL" --show-depends "$name" 2>/dev/null |
      sed -n 's/^insmod //p' || true
  done | sed 's/ *$//' | sort -u | while read -r path; do
    path=$(realpath --relative-to="$WORK/stage" "$path")
    mkdir -p "$tree/$(dirname "$path")"
    cp "$WORK/stage/$path" "$tree/$path"
  done
  mkdir -p "$tree/usr/lib/modules/$KERNEL"
  cp "$WORK/stage/usr/lib/modules/$KERNEL"/modules.{order,builtin,builtin.modinfo} \
    "$tree/usr/lib/modules/$KERNEL/"
  [ -e "$tree/lib" ] || ln -s usr/lib "$tree/lib"
  depmod -b "$tree" "$KERNEL"
}

make_root() {
  local root=$WORK/root program name
  mkdir -p "$root"/{dev,proc,sys,run,tmp,mnt,root/.ssh,var/lib/lvhost-guest,var/log,etc/dropbear}
  mkdir -p "$root"/{media,persist,home} "$root"/usr/{bin,sbin,lib,lib64,local/bin}
  for name in bin sbin lib lib64; do ln -s "usr/$name" "$root/$name"; done
  ln -s /run "$root/var/run"
  for program in "${PROGRAMS[@]}"; do copy_with_libraries "$program"; done
  # busybox's own shell prefers busybox's commands to whatever else PATH offers.
  ln -s dash "$root/usr/bin/sh"
  for name in $("$root/bin/busybox" --list); do
    [ -e "$root/usr/bin/$name" ] || [ "$name" = busybox ] || ln -s busybox "$root/usr/bin/$name"
  done
  # Both are asked for by absolute path: by the kernel, and by qemu-guest-agent.
  ln -s ../bin/busybox "$root/usr/sbin/init"
  ln -sf ../bin/modprobe "$root/usr/sbin/modprobe"
  copy_modules "$root" "${BOOT_MODULES[@]}" "${ROOT_MODULES[@]}"
  cp -R "$HERE/small/root/." "$root/"
  cat >"$root/etc/os-release" <<RELEASE
NAME="lvhost test guest"
ID=lvhost-guest
ID_LIKE=debian
VERSION_CODENAME=$CODENAME
RELEASE
  for name in demo ubuntu; do mkdir -p "$root/home/$name/.ssh"; done
}

make_initramfs() {
  local tree=$WORK/initramfs
  mkdir -p "$tree"/{dev,proc,sys,root,bin,sbin,usr/lib}
  cp "$WORK/stage/bin/busybox" "$tree/bin/busybox"
  # The kernel asks for modules by this path.
  ln -s ../bin/busybox "$tree/sbin/modprobe"
  copy_modules "$tree" "${BOOT_MODULES[@]}"
  install -m 755 "$HERE/small/initramfs-init" "$tree/init"
  (cd "$tree" && find . -print0 | LC_ALL=C sort -z |
    cpio --quiet --null -o -H newc -R 0:0) | gzip -1 >"$WORK/boot/initrd.gz"
}

# The removable disk's path, where firmware looks that has no entry of its own for this disk.
add_efi_loader() {
  local efi=$WORK/boot/EFI
  mkdir -p "$efi/BOOT" "$efi/debian"
  cp "$WORK/stage/usr/lib/shim/shimx64.efi.signed" "$efi/BOOT/BOOTX64.EFI"
  cp "$WORK/stage/usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed" "$efi/BOOT/grubx64.efi"
  cp "$HERE/small/grub.cfg" "$efi/debian/"
}

# The disc: the same kernel, which finds its root on the disk.
make_disc() {
  local tree=$WORK/disc
  mkdir "$tree"
  cp "$WORK/boot/vmlinuz" "$WORK/boot/initrd.gz" "$HERE/small/isolinux.cfg" \
    "$WORK/stage/usr/lib/ISOLINUX/isolinux.bin" /usr/lib/syslinux/modules/bios/ldlinux.c32 "$tree/"
  xorriso -as mkisofs -quiet -V LVHOSTDISC -J -b isolinux.bin -c boot.cat -no-emul-boot \
    -boot-load-size 4 -boot-info-table -o "$WORK/disc.iso" "$tree"
}

# Runs under as_owner, in a shell of its own: owners set by one call are lost to the next.
# shellcheck disable=SC2016
MAKE_ROOT_IMAGE='
  set -euo pipefail
  . "$FAILURE"
  chown -R 0:0 "$1"
  chown -R 1000:1000 "$1/home/demo"
  chown -R 1001:1001 "$1/home/ubuntu"
  chmod 755 "$1" "$1"/home/*
  chmod 700 "$1/root" "$1/root/.ssh" "$1"/home/*/.ssh
  chmod 600 "$1/etc/shadow"
  chmod 1777 "$1/tmp"
  chmod 1777 "$1/persist"
  mke2fs -q -t ext4 -d "$1" -L lvhost-root -m 0 -E lazy_itable_init=0,root_owner=0:0 "$2" "$3M"
'

build_guest() {
  fetch_packages
  say "unpacking"
  unpack_packages
  KERNEL=$(basename "$WORK"/stage/usr/lib/modules/*)
  find "$WORK/stage/usr/lib/modules" -name '*.ko.xz' -exec unxz {} +
  # busybox's modprobe reads it; the kernel's package leaves it to its installation to make.
  depmod -b "$WORK/stage" "$KERNEL"
  mkdir "$WORK/boot"
  cp "$WORK/stage/boot/vmlinuz-$KERNEL" "$WORK/boot/vmlinuz"
  make_root
  make_initramfs
  cp "$HERE/small/syslinux.cfg" "$WORK/boot/"
  make_disc
  add_efi_loader
  as_owner bash -c "$MAKE_ROOT_IMAGE" "making the root file system" "$WORK/root" "$WORK/root.ext4" "$ROOT_MIB"
  assemble_disk "$WORK/boot" "$BOOT_MIB" "$WORK/root.ext4"
}
