# Completion of kubectl-vaultjwt in fish:
#   kubectl vaultjwt completion fish | source
# "kubectl vaultjwt" is completed by kubectl: kubectl vaultjwt completion kubectl

function __kubectl_vaultjwt_complete
    set -l words (commandline -opc)
    set -l typed (commandline -ct)
    set -l out ($words[1] __complete $words[2..-1] "$typed" 2>/dev/null)
    or return
    # The last line says what the candidates are for.
    set -l directive 0
    if string match -qr '^:[0-9]+$' -- "$out[-1]"
        set directive (string sub -s 2 -- $out[-1])
        set -e out[-1]
    end
    # After --flag= there are values alone.
    set -l before (string match -r -- '^-[^=]*=' "$typed")
    for line in $out
        printf '%s%s\n' "$before" $line
    end
    set -l rest (string sub -s (math (string length -- "$before") + 1) -- "$typed")
    if test (math "floor($directive / 16) % 2") -eq 1
        for path in (__fish_complete_directories "$rest" '')
            printf '%s%s\n' "$before" $path
        end
    else if test (math "floor($directive / 4) % 2") -eq 0
        for path in (__fish_complete_path "$rest" '')
            printf '%s%s\n' "$before" $path
        end
    end
end

complete -c kubectl-vaultjwt -f -a '(__kubectl_vaultjwt_complete)'
