#compdef portshim
# zsh completion of portshim(1): what can stand there, the command itself says.

_portshim()
{
	local line word
	local -a candidates shown open open_shown

	for line in "${(@f)$(${(Q)words[1]} complete -- "${(@Q)words[2,CURRENT]}" 2>/dev/null)}"; do
		word=${line%%$'\t'*}
		case $line in
		'') ;;
		$'\t'files)
			compset -P '--*='
			_files
			;;
		$'\t'command*)
			# The words of another command: its own completion takes over.
			shift $((${line##* } + 1)) words
			((CURRENT -= ${line##* } + 1))
			_normal
			return
			;;
		*=*$'\t'*|*=)
			if [[ $word == *= ]]; then
				open+=("$word")
				open_shown+=("${(r:20:)word} ${line#*$'\t'}")
			else
				candidates+=("$word")
				shown+=("${(r:20:)word} ${line#*$'\t'}")
			fi
			;;
		*)
			candidates+=("$word")
			if [[ $line == *$'\t'* ]]; then
				shown+=("${(r:20:)word} ${line#*$'\t'}")
			else
				shown+=("$word")
			fi
			;;
		esac
	done
	((${#candidates})) && compadd -l -d shown -a candidates
	((${#open})) && compadd -S '' -l -d open_shown -a open
}

_portshim "$@"
