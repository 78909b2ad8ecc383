# fish completion of portshim(1): what can stand there, the command itself says.

function __portshim_complete
	set -l words (commandline -opc) (commandline -ct)
	command -q $words[1]; or return
	for line in (command $words[1] complete -- $words[2..-1] 2>/dev/null)
		switch $line
			case \t'files'
				set -l before (string match -r -- '^--[^=]*=' $words[-1]; or echo)
				printf '%s\n' $before(__fish_complete_path (string replace -r -- '^--[^=]*=' '' $words[-1]))
			case \t'command*'
				# The words of another command: its own completion takes over.
				set -l first (math (string split -- ' ' $line)[-1] + 2)
				set -l rest
				test $first -lt (count $words); and set rest (string escape -- $words[$first..-2])
				complete -C "$rest $words[-1]"
			case '*'
				echo $line
		end
	end
end

complete -c portshim -f -a '(__portshim_complete)'
