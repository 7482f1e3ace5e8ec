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

# processor_time: sets PROCESSOR_TIME, in milliseconds, of all programs that this shell has waited for. `times`
# tells it in its second line, as `1m2.345s 0m0.678s`, and tells a subshell its own only: hence the file.
processor_time() {
  local file time seconds
  file=$(mktemp)
  times >"$file"
  PROCESSOR_TIME=0
  for time in $(sed -n 2p "$file"); do
    seconds=${time#*m}
    # Both end in three digits behind a point or a comma. 10# takes leading zeros for what they are.
    PROCESSOR_TIME=$((PROCESSOR_TIME + ${time%m*} * 60000 + 10#${seconds//[!0-9]/}))
  done
  rm "$file"
}

# in_seconds MILLISECONDS: prints them as whole seconds, rounded.
in_seconds() {
  echo $((($1 + 500) / 1000))
}

phase() {
  end_phase
  PHASE=$1
  PHASE_STARTED=$SECONDS
  processor_time
  PHASE_PROCESSOR=$PROCESSOR_TIME
  printf '\n== %s %s\n' "$(date -u +%H:%M:%S)" "$PHASE" >&2
}

end_phase() {
  [ -n "$PHASE" ] || return 0
  processor_time
  PHASES+=("$(printf '%6d s %10d s   %s' $((SECONDS - PHASE_STARTED)) \
    "$(in_seconds $((PROCESSOR_TIME - PHASE_PROCESSOR)))" "$PHASE")")
  PHASE=
}

# print_phases STATUS: to be called once, at the end.
print_phases() {
  local status=$1 unfinished=$PHASE
  end_phase
  processor_time
  printf '\n    time    processor   phase\n' >&2
  printf '%s\n' "${PHASES[@]}" >&2
  printf '%6d s %10d s   in all\n' "$SECONDS" "$(in_seconds "$PROCESSOR_TIME")" >&2
  [ "$status" = 0 ] || printf 'It ended with status %s in the phase "%s".\n' "$status" "$unfinished" >&2
}
trap 'print_phases "$?"' EXIT
