# Removes a folder when the pipe on standard input ends: the harness is done
# with it, or is gone.
#
# argument: FOLDER (its .running folder holds one mark per running program)
folder=$1
read -r _

left=300
while [ "$left" -gt 0 ] && [ -n "$(ls -A "$folder/.running" 2>/dev/null)" ]; do
    sleep 0.1
    left=$((left - 1))
done

left=50
until rm -rf -- "$folder" 2>/dev/null || [ "$left" -eq 0 ]; do
    sleep 0.1
    left=$((left - 1))
done
# The folder of the run, when this was the last one in it.
rmdir -- "${folder%/*}" 2>/dev/null
exit 0
