#compdef kubectl-vaultjwt
# Completion of kubectl-vaultjwt in zsh, after compinit:
#   source <(kubectl vaultjwt completion zsh)
# "kubectl vaultjwt" is completed by kubectl: kubectl vaultjwt completion kubectl

_kubectl-vaultjwt() {
    local line value tab=$'\t'
    local -a asked out candidates space
    local -i directive=0
    asked=("${(@Q)words[2,CURRENT-1]}" "${(Q)PREFIX}")
    out=("${(@f)$("${(Q)words[1]}" __complete "${asked[@]}" 2>/dev/null)}")
    # The last line says what the candidates are for.
    if [[ ${out[-1]} =~ '^:[0-9]+$' ]]; then
        directive=${out[-1]#:}
        out[-1]=()
    fi
    # After --flag= there are values alone.
    [[ $PREFIX == -*=* ]] && compset -P '*='
    for line in "${out[@]}"; do
        [[ -n $line ]] || continue
        value=${line%%$tab*}
        value=${value//:/\\:}
        if [[ $line == *$tab* ]]; then value+=:${line#*$tab}; fi
        candidates+=("$value")
    done
    ((directive & 2)) && space=(-S '')
    if ((${#candidates})); then
        _describe -t values 'kubectl-vaultjwt' candidates "${space[@]}"
    elif ((directive & 16)); then
        _files -/
    elif ! ((directive & 4)); then
        _files
    fi
}

# Sourced, or found in fpath.
if [[ ${funcstack[1]} == _kubectl-vaultjwt ]]; then
    _kubectl-vaultjwt "$@"
else
    compdef _kubectl-vaultjwt kubectl-vaultjwt
fi
