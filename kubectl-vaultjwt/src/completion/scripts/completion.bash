# Completion of kubectl-vaultjwt in bash:
#   source <(kubectl vaultjwt completion bash)
# "kubectl vaultjwt" is completed by kubectl: kubectl vaultjwt completion kubectl

_kubectl_vaultjwt() {
    local line=${COMP_LINE:0:COMP_POINT} words=() typed out directive=0 candidate before width=0
    local values=() descriptions=() tab=$'\t' i
    COMPREPLY=()
    read -ra words <<<"$line"
    [[ $line == *[[:space:]] ]] && words+=("")
    typed=${words[${#words[@]} - 1]}
    out=$("${words[0]}" __complete "${words[@]:1}" 2>/dev/null) || return 0
    # The last line says what the candidates are for.
    if [[ ${out##*$'\n'} =~ ^:([0-9]+)$ ]]; then
        directive=${BASH_REMATCH[1]}
        [[ $out == *$'\n'* ]] && out=${out%$'\n'*} || out=""
    fi
    # After --flag= there are values alone.
    [[ $typed == -*=* ]] && typed=${typed#*=}
    # bash replaces what follows its last word break.
    before=""
    if [[ $COMP_WORDBREAKS == *:* && $typed == *:* ]]; then before=${typed%"${typed##*:}"}; fi
    while IFS= read -r candidate; do
        [[ -n $candidate ]] || continue
        values+=("${candidate%%"$tab"*}")
        [[ $candidate == *"$tab"* ]] && descriptions+=("${candidate#*"$tab"}") || descriptions+=("")
        ((${#values[${#values[@]} - 1]} > width)) && width=${#values[${#values[@]} - 1]}
    done <<<"$out"
    for ((i = 0; i < ${#values[@]}; i++)); do
        candidate=${values[i]#"$before"}
        # Descriptions are shown in a list, and never typed.
        if ((${#values[@]} > 1)) && [[ -n ${descriptions[i]} && ${COMP_TYPE:-9} != 37 && ${COMP_TYPE:-9} != 42 ]]; then
            printf -v candidate '%-*s  (%s)' "$((width - ${#before}))" "$candidate" "${descriptions[i]}"
            candidate=${candidate:0:${COLUMNS:-80} - 2}
        fi
        COMPREPLY+=("$candidate")
    done
    # bash before 4 (macOS) has no compopt, and completes no files then.
    if type compopt >/dev/null 2>&1; then
        ((directive & 2)) && compopt -o nospace
        if ((directive & 16)); then compopt -o dirnames; elif ! ((directive & 4)); then compopt -o default; fi
    fi
    return 0
}

complete -F _kubectl_vaultjwt kubectl-vaultjwt
