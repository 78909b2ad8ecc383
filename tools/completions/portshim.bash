# bash completion of portshim(1): what can stand there, the command itself says.
# shellcheck shell=bash

# Without the command that follows `run` and the like; that one's own completion takes over from word number $1 on.
_portshim_hand_over()
{
	local raw=0 joined=0 all
	# bash cuts words at = and :, the command was told whole ones
	while ((joined < $1 && raw < ${#COMP_WORDS[@]})); do
		all=
		while [[ $all != "${words[joined]}" && raw -lt ${#COMP_WORDS[@]} ]]; do
			all+=${COMP_WORDS[raw++]}
		done
		((joined++))
	done
	_command_offset "$raw"
}

_portshim()
{
	local cur words cword line word before=
	_get_comp_words_by_ref -n =: cur words cword
	COMPREPLY=()
	[[ $cur == *[=:]* && $COMP_WORDBREAKS == *[=:]* ]] && before=${cur%"${cur##*[=:]}"}
	while IFS= read -r line; do
		case $line in
		$'\t'files)
			cur=${cur#--*=}
			_filedir
			;;
		$'\t'command*)
			_portshim_hand_over $((${line##* } + 1))
			return
			;;
		*)
			word=${line%%$'\t'*}
			word=${word#"$before"}
			[[ $word == *= ]] && compopt -o nospace
			printf -v word %q "$word"
			COMPREPLY+=("$word")
			;;
		esac
	done < <("$1" complete -- "${words[@]:1:cword}" 2>/dev/null)
}

complete -F _portshim portshim
