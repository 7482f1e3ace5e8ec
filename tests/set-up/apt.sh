# shellcheck shell=bash
# apt.sh: what this host's apt is configured for. Sourced after failure.sh; says what is wrong by the
# caller's `die`. Needs neither root, nor a network, nor apt's lists, which containers come without.

# configured_suites: the suites that apt has packages from, one a line: URI, space, suite. apt is asked what it
# would fetch, since it names its sources by itself only once it has their lists.
configured_suites() {
  local uris
  uris=$(apt-get --print-uris update) || die "apt can't read its list of sources"
  sed -n "s|^'\(.*\)/dists/\(.*\)/InRelease'.*|\1 \2|p" <<<"$uris"
}

# debian_mirror CODENAME: where this host has Debian from, or nothing. The sources may name a release by
# another word than its code name (`stable`); then it is the first one that looks like Debian's.
debian_mirror() {
  local suites mirror
  suites=$(configured_suites)
  mirror=$(sed -n "/ $1\$/ { s///p; q }" <<<"$suites")
  [ -n "$mirror" ] || mirror=$(sed -n '\|/debian/* | { s| .*||p; q }' <<<"$suites")
  printf '%s\n' "$mirror"
}
