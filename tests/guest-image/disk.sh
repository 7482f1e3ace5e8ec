# shellcheck shell=bash
# disk.sh: a bootable disk image of two partitions, made without mounts or loop devices.
# Read by build.sh; uses its functions and $WORK.

# The first partition starts at 1 MiB, as partitioning tools do.
BOOT_START_MIB=1

# as_owner COMMAND...: runs COMMAND so that files can have any owner: really, or in fakeroot's
# account of them. What belongs together has to be done in one call.
as_owner() {
  if [ "$(id -u)" = 0 ]; then "$@"; else fakeroot -- "$@"; fi
}

# assemble_disk BOOT_DIRECTORY BOOT_MIB ROOT_IMAGE: writes $WORK/disk.raw, with an msdos label, a
# FAT partition that holds the files of BOOT_DIRECTORY and boots by syslinux, and ROOT_IMAGE.
assemble_disk() {
  local boot=$1 boot_mib=$2 root=$3 root_mib disk=$WORK/disk.raw fat=$WORK/boot.fat
  root_mib=$(($(stat -c %s "$root") / 1048576))
  say "assembling the disk: $boot_mib MiB to boot from, $root_mib MiB of root"
  truncate -s "${boot_mib}M" "$fat"
  # syslinux's boot sector finds its partition by the count of hidden sectors.
  mkfs.fat -F 16 -n LVHOSTBOOT -h $((BOOT_START_MIB * 2048)) "$fat" >/dev/null
  MTOOLS_SKIP_CHECK=1 mcopy -s -i "$fat" "$boot"/* ::
  syslinux --install "$fat"
  truncate -s $((BOOT_START_MIB + boot_mib + root_mib))M "$disk"
  parted -s "$disk" -- mklabel msdos \
    mkpart primary fat16 ${BOOT_START_MIB}MiB $((BOOT_START_MIB + boot_mib))MiB set 1 boot on \
    mkpart primary ext4 $((BOOT_START_MIB + boot_mib))MiB 100% >&2
  dd if=/usr/lib/syslinux/mbr/mbr.bin of="$disk" conv=notrunc bs=440 count=1 status=none
  dd if="$fat" of="$disk" conv=notrunc,sparse bs=1M seek=$BOOT_START_MIB status=none
  dd if="$root" of="$disk" conv=notrunc,sparse bs=1M seek=$((BOOT_START_MIB + boot_mib)) status=none
  rm "$fat" "$root"
}

# boot_by CONFIGURATION: makes $WORK/disk.raw boot by another configuration of syslinux.
boot_by() {
  MTOOLS_SKIP_CHECK=1 mcopy -o -i "$WORK/disk.raw@@${BOOT_START_MIB}M" "$1" ::syslinux.cfg
}
