"""Writes to standard output, as a tar archive, a root file system of packages that this machine has: those named and what they need.
An image with it takes the place of a distribution's own, which would have to come from a registry."""
import os
import re
import stat
import sys
import tarfile

STATUS = '/var/lib/dpkg/status'
# What no package owns: of the dpkg of the image (all is there that is asked of apt-get), accounts, names chosen by update-alternatives.
OTHERS = ('/bin', '/sbin', '/lib', '/lib64', '/etc/passwd', '/etc/group', '/usr/bin/cc', '/etc/alternatives/cc', '/usr/bin/awk',
          '/etc/alternatives/awk', '/usr/bin/which', '/etc/alternatives/which', STATUS)
LEFT_OUT = ('/usr/share/doc/', '/usr/share/man/', '/usr/share/locale/', '/etc/apt/sources.list')


def installed():
    """{name, also a provided one: (names of its files' lists, [[alternatives] that it needs])}"""
    packages, provided = {}, {}
    with open(STATUS, encoding='utf-8') as file:
        for text in file.read().split('\n\n'):
            fields = dict(line.split(': ', 1) for line in text.split('\n') if re.match(r'[A-Z][\w-]+: ', line))
            if fields.get('Status', '').endswith(' installed'):
                name = fields['Package']
                needs = ', '.join(fields[key] for key in ('Pre-Depends', 'Depends') if key in fields)
                lists = (f'{name}.list', f'{name}:{fields["Architecture"]}.list')
                packages.setdefault(name, (lists, [[re.split(r'[ :(]', choice.strip())[0] for choice in need.split('|')]
                                                   for need in needs.split(',') if need]))
                for virtual in fields.get('Provides', '').split(','):
                    provided.setdefault(virtual.split('(')[0].strip(), packages[name])
    return {**provided, **packages}


def closure(packages, names):
    found, wanted = {}, list(names)
    while wanted:
        name = wanted.pop()
        if name not in found:
            found[name] = packages[name][0]
            wanted += [next(choice for choice in need if choice in packages) for need in packages[name][1]]
    return found


def files(found):
    for lists in found.values():
        for name in lists:
            path = f'/var/lib/dpkg/info/{name}'
            if os.path.exists(path):
                yield path
                with open(path, encoding='utf-8') as file:
                    yield from file.read().split('\n')


def main():
    names = {os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))
             for path in [*files(closure(installed(), sys.argv[1:])), *OTHERS] if path and path != '/.'}
    with tarfile.open(fileobj=sys.stdout.buffer, mode='w|') as archive:
        for name in sorted(names):
            if os.path.lexists(name) and not name.startswith(LEFT_OUT) and not stat.S_ISSOCK(os.lstat(name).st_mode):
                archive.add(name, recursive=False)


main()
