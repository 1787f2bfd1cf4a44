# Removes a folder when the pipe on standard input ends: the harness is done
# with it, or is gone.
#
# argument: FOLDER (its .running folder holds one mark per running program, and
# its file .cgroups names cgroups that go as well, one a line)
folder=$1
read -r _

left=300
while [ "$left" -gt 0 ] && [ -n "$(ls -A "$folder/.running" 2>/dev/null)" ]; do
    sleep 0.1
    left=$((left - 1))
done

# Cgroups of a node, from the leaves up. Its processes may still be on their way out.
left=50
while [ -s "$folder/.cgroups" ] && [ "$left" -gt 0 ]; do
    gone=yes
    while read -r cgroup; do
        [ ! -d "$cgroup" ] || find "$cgroup" -depth -type d -exec rmdir {} + || gone=
    done <"$folder/.cgroups"
    [ -z "$gone" ] || break
    sleep 0.1
    left=$((left - 1))
done 2>/dev/null

left=50
until rm -rf -- "$folder" 2>/dev/null || [ "$left" -eq 0 ]; do
    sleep 0.1
    left=$((left - 1))
done
# The folder of the run, when this was the last one in it.
rmdir -- "${folder%/*}" 2>/dev/null
exit 0
