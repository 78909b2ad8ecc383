# Types lines into a zsh that is interactive, completes each, and prints what became of it: `completion.zsh FOLDER LINE...`.
# FOLDER has the function for zsh.
zmodload zsh/zpty
folder=$1
shift
zpty inner 'TERM=dumb zsh -f -i'
zpty -w inner "PS1=; fpath=($folder \$fpath); autoload -Uz compinit; compinit -u -D; setopt no_beep no_auto_menu"
zpty -w inner 'whole() { print -r -- "[<$BUFFER>]"; BUFFER=; zle .accept-line }; zle -N whole'
zpty -w inner 'bindkey "^X" whole; bindkey "^I" complete-word; print -r -- "ready"."now"'
zpty -r -m inner out '*ready.now*'
for line in "$@"; do
	zpty -w -n inner "$line"$'\t\x18'
	zpty -r -m inner out '*\[<*>\]*'
	out=${out##*\[<}
	print -r -- "$line:${out%%>\]*}"
done
zpty -w inner exit
