# SPDX-License-Identifier: BSD-3-Clause
# Completion of mpactl for bash: mpactl itself says what may come next.
_mpactl() {
    local candidate _ current=${COMP_WORDS[COMP_CWORD]}
    COMPREPLY=()
    [ "$current" != = ] || current=
    while IFS=$'\t' read -r candidate _; do
        case $candidate in
        :files | :folders)
            compopt -o filenames 2>/dev/null
            local action=-f
            [ "$candidate" = :files ] || action=-d
            while IFS= read -r candidate; do COMPREPLY+=("$candidate"); done < <(compgen "$action" -- "$current")
            ;;
        ?*) COMPREPLY+=("$candidate") ;;
        esac
    done < <("${COMP_WORDS[0]}" complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -F _mpactl mpactl
