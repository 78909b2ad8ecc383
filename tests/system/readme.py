"""Runs every command of README.md in a machine (tests/system/test_readme.c), and compares what it prints.

A block that begins with ```console holds commands: "$ " is ann's, "# " is root's; lines that begin with "> " go on with the
command above them. What follows is what it prints. Numbers, white space and maps of ports differ from run to run, so they
are compared by their shape: any number is as good as another, but one of the sets of the README's policies is still one of
that hundred. "..." stands for any lines. A command that prints nothing there must succeed.

A command that another test runs is not run here; ELSEWHERE says which file of that test has it, word by word.
"""
import os
import re
import subprocess
import sys
import time

DEADLINE = 120

ELSEWHERE = {
    'make demo': '.ci/run',
    'make test': '.ci/run',
}


def blocks(text):
    """(line number, [lines]) of each block of commands."""
    found, block = [], None
    for number, line in enumerate(text.split('\n'), 1):
        if block is None and line.strip() == '```console':
            block = (number + 1, [])
        elif block is not None and line.strip() == '```':
            found.append(block)
            block = None
        elif block is not None:
            block[1].append(line)
    return found


def commands(block):
    """[line number, who, command, [printed lines]] of each command of a block."""
    found = []
    for number, line in enumerate(block[1], block[0]):
        if line.startswith(('$ ', '# ')):
            found.append([number, line[0], line[2:], []])
        elif (line == '>' or line.startswith('> ')) and found and not found[-1][3]:
            found[-1][2] += '\n' + line[2:]
        elif found:
            found[-1][3].append(line)
        else:
            sys.exit(f'README.md:{number}: stands before any command')
    return found


def shape(line):
    line = re.sub(r'portshim-\d+-[0-9a-f]+', 'portshim-N-N', line)
    line = re.sub(r'[.:\-=+*%#~x]{20,}', 'MAP', line)
    line = re.sub(r'\d+', lambda number: number[0][:3] + 'NN' if re.fullmatch(r'2\d{4}', number[0]) else 'N', line)
    return re.sub(r'[ \t]+', ' ', line).strip()


def shapes(text):
    return [shape(line) for line in text.split('\n')]


def fits(expected, printed):
    """Whether the lines are those expected, "..." being any number of lines."""
    if not expected:
        return not printed
    if expected[0] == '...':
        return any(fits(expected[1:], printed[i:]) for i in range(len(printed) + 1))
    return bool(printed) and expected[0] == printed[0] and fits(expected[1:], printed[1:])


def is_elsewhere(command):
    command = command.split('    #')[0].strip()
    if command not in ELSEWHERE:
        return False
    with open(ELSEWHERE[command], encoding='utf-8') as file:
        assert command in re.sub(r' -j\d+', '', file.read()), f'{ELSEWHERE[command]} has no "{command}"'
    return True


def run(who, command):
    argv = ['bash', '-c', command] if who == '#' else ['runuser', '-u', 'ann', '--', 'bash', '-c', command]
    with open('/tmp/printed', 'w+', encoding='utf-8') as out:
        status = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, timeout=DEADLINE,
                                check=False, cwd='/portshim' if who == '#' else '/home/ann').returncode
        out.seek(0)
        return status, out.read().rstrip('\n')


def wait_for(who, command, expected):
    """Runs it. What goes on in the background may take its time to print what is expected."""
    status, printed = run(who, command)
    until = time.monotonic() + DEADLINE
    while command.endswith('&') and not fits(expected, shapes(printed)) and time.monotonic() < until:
        time.sleep(0.02)
        with open('/tmp/printed', encoding='utf-8') as out:
            printed = out.read().rstrip('\n')
    return status, printed


def check(number, who, command, lines):
    expected = shapes('\n'.join(lines).rstrip())
    status, printed = wait_for(who, command, expected)
    may_fail = any(line not in ('', '...') for line in expected)
    if fits(expected, shapes(printed)) and (status == 0 or may_fail):
        return True
    print(f'README.md:{number}: {who} {command}\n--- the README has\n' + '\n'.join(lines) +
          f'\n--- it printed (status {status})\n{printed}\n')
    return False


def main():
    os.chdir('/portshim')
    ran = bad = 0
    with open('README.md', encoding='utf-8') as file:
        text = file.read()
    for block in blocks(text):
        for number, who, command, expected in commands(block):
            if not is_elsewhere(command):
                ran += 1
                bad += not check(number, who, command, expected)
    print(f'{ran} commands, {bad} differ')
    return 1 if bad or not ran else 0


if __name__ == '__main__':
    sys.exit(main())
