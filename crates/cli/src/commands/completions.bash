# Bash breaks words at `=` and `:`, which options with a value and names of operations have in them.
_countersign() {
    local words=() rest=$COMP_LINE word gap index cword=0
    for index in "${!COMP_WORDS[@]}"; do
        word=${COMP_WORDS[index]}
        gap=${rest%%"$word"*}
        rest=${rest:${#gap}+${#word}}
        if [[ $index -gt 0 && -z $gap && ( $word == [=:]* || ${COMP_WORDS[index-1]} == *[=:] ) ]]; then
            words[${#words[@]}-1]+=$word
        else
            words+=("$word")
        fi
        if [[ $index -eq $COMP_CWORD ]]; then
            cword=$((${#words[@]} - 1))
        fi
    done
    local current=${words[cword]} piece
    local before=${current%"${current##*[=:]}"}
    local COMP_WORDS=("${words[@]}") COMP_CWORD=$cword
    _clap_complete_countersign "$1" "$current" "$3"
    for index in "${!COMPREPLY[@]}"; do
        piece=${COMPREPLY[index]}
        COMPREPLY[index]=${piece#"$before"}
    done
}
if [[ "${BASH_VERSINFO[0]}" -eq 4 && "${BASH_VERSINFO[1]}" -ge 4 || "${BASH_VERSINFO[0]}" -gt 4 ]]; then
    complete -o nospace -o bashdefault -o nosort -F _countersign countersign
else
    complete -o nospace -o bashdefault -F _countersign countersign
fi
