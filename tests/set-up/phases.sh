# shellcheck shell=bash
# phases.sh: a script's phases with their times at its end, however it ends. Sourced after failure.sh.
#
#   phase "guest image"      ends the phase before it and begins this one
#
# The table goes to standard error. It has the seconds that passed in each phase, and the seconds of processor
# time of the programs that the phase ran and waited for. A script with a trap of its own on EXIT calls
# print_phases there.

PHASES=()
PHASE=

# processor_seconds: sets PROCESSOR_SECONDS, of all programs that this shell has waited for. `times` tells them
# in its second line, as `1m2.345s 0m0.678s`, and tells a subshell its own only: hence the file.
processor_seconds() {
  local file line minutes seconds
  file=$(mktemp)
  times >"$file"
  PROCESSOR_SECONDS=0
  for line in $(sed -n 2p "$file"); do
    minutes=${line%m*}
    seconds=${line#*m}
    PROCESSOR_SECONDS=$((PROCESSOR_SECONDS + minutes * 60 + ${seconds%%[.,]*}))
  done
  rm "$file"
}

phase() {
  end_phase
  PHASE=$1
  PHASE_STARTED=$SECONDS
  processor_seconds
  PHASE_PROCESSOR=$PROCESSOR_SECONDS
  printf '\n== %s %s\n' "$(date -u +%H:%M:%S)" "$PHASE" >&2
}

end_phase() {
  [ -n "$PHASE" ] || return 0
  processor_seconds
  PHASES+=("$(printf '%6d s %10d s   %s' $((SECONDS - PHASE_STARTED)) \
    $((PROCESSOR_SECONDS - PHASE_PROCESSOR)) "$PHASE")")
  PHASE=
}

# print_phases STATUS: to be called once, at the end.
print_phases() {
  local status=$1 unfinished=$PHASE
  end_phase
  processor_seconds
  printf '\n    time    processor   phase\n' >&2
  printf '%s\n' "${PHASES[@]}" >&2
  printf '%6d s %10d s   in all\n' "$SECONDS" "$PROCESSOR_SECONDS" >&2
  [ "$status" = 0 ] || printf 'It ended with status %s in the phase "%s".\n' "$status" "$unfinished" >&2
}
trap 'print_phases "$?"' EXIT
