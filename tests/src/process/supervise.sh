# Runs one program for as long as the pipe on standard input stays open, and
# stops it when the pipe ends: the harness closed it, or is gone (also by
# kill -9, when nothing of the harness can run any more).
#
# arguments: MARK GRACE PROGRAM [ARGUMENT...]
#   MARK   file that exists while the program may be running
#   GRACE  tenths of a second between TERM and KILL; none where the line
#          "now" comes before the pipe ends
mark=$1 grace=$2
shift 2
exec 3<&0

"$@" </dev/null 3<&- &
program=$!

# Said before the program can end of it, so that the shell below knows why.
stopped=
trap 'stopped=yes' USR1
{
    read -r how <&3
    kill -USR1 $$
    [ "$how" = now ] && grace=0 || kill -TERM "$program"
    while [ "$grace" -gt 0 ] && kill -0 "$program"; do
        sleep 0.1
        grace=$((grace - 1))
    done
    kill -KILL "$program"
} >/dev/null 2>&1 &
exec 3<&-

trap 'kill -TERM "$program" 2>/dev/null' TERM INT HUP
wait "$program"
code=$?
# A signal to this shell ends the wait before the program has ended.
while kill -0 "$program" 2>/dev/null; do
    wait "$program"
    code=$?
done

# The waiting half above, and whatever the program left in its process group.
trap '' TERM
kill -TERM 0
rm -f -- "$mark"
# Nobody asks for the exit code of what was stopped: the whole group goes,
# this shell included, also what ignores TERM.
[ -z "$stopped" ] || kill -KILL 0
exit "$code"
