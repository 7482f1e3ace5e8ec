# shellcheck shell=bash
# failure.sh: a script that ends because a command failed says which command, and where. Sourced by every
# script of this repository, right after `set -euo pipefail`:
#
#   tests/set-up/packages.sh:57: gave up: `mirror=$(configured_mirror)` ended with status 1
#   tests/set-up/packages.sh:57:   in backports_source, called at line 112
#
# `set -e` alone ends a script without a word. A command that fails inside of `$(…)` or `(…)` is told there, and
# once more by the line that needed its result. What a script tests by itself (`if`, `||`, `&&`) is no failure.

# Functions, subshells and command substitutions inherit the trap.
set -E

# What paths of scripts are relative to.
FAILURE_STARTED_IN=$PWD

# tell_failure STATUS STATUSES LINE COMMAND: the trap's body. STATUSES has one for each part of a pipeline, of
# which bash names the last part only; the script's own line shows them all.
tell_failure() {
  local status=$1 statuses=$2 line=$3 command=${4%%$'\n'*}
  local script=${BASH_SOURCE[1]:-$0} text frame detail=
  if [[ $statuses == *' '* ]]; then
    text=$(cd "$FAILURE_STARTED_IN" && sed -n "${line}s/^[[:space:]]*//p" "$script" 2>/dev/null || true)
    command=${text:-$command}
    detail=" (its parts: $statuses)"
  fi
  # What a signal ends has 128 and the signal's number.
  if [ "$status" -gt 128 ] && kill -l "$((status - 128))" >/dev/null 2>&1; then
    detail+=" (signal $(kill -l "$((status - 128))"))"
  fi
  printf '%s:%s: gave up: `%s` ended with status %s%s\n' "$script" "$line" "$command" "$status" "$detail" >&2
  for ((frame = 1; frame < ${#FUNCNAME[@]} - 1; frame++)); do
    case ${FUNCNAME[frame]} in main | source) continue ;; esac
    printf '%s:%s:   in %s, called at line %s\n' "$script" "$line" "${FUNCNAME[frame]}" "${BASH_LINENO[frame]}" >&2
  done
}
trap 'tell_failure "$?" "${PIPESTATUS[*]}" "$LINENO" "$BASH_COMMAND"' ERR
