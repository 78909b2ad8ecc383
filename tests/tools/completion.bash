# Completes lines by the function for bash, and prints what it offers: `completion.bash FILE LINE...`, of which FILE has the
# function.
# shellcheck shell=bash source=/dev/null
source /usr/share/bash-completion/bash_completion
# shellcheck source=/dev/null
source "$1"
shift
compopt() { :; } # which bash has only while it completes
for line in "$@"; do
	# shellcheck disable=SC2001 # as readline cuts it, COMP_WORDBREAKS being what it is
	read -ra COMP_WORDS < <(sed 's/[=:][=:]*/ & /g' <<<"$line")
	[[ $line == *' ' ]] && COMP_WORDS+=('')
	COMP_CWORD=$((${#COMP_WORDS[@]} - 1)) COMP_LINE=$line COMP_POINT=${#line} COMPREPLY=()
	_portshim "${COMP_WORDS[0]}" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
	printf '%s:' "$line"
	((${#COMPREPLY[@]})) && printf '<%s>' "${COMPREPLY[@]}"
	echo
done
