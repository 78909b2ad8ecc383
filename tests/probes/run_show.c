/* run_show.c - shows how it was started: `run_show WHAT...` prints a line for each.
 *
 * NAME=        the variable NAME as "NAME=value", or "NAME unset"
 * library      whether libportshim.so is in: "library in" or "library out"
 * exit:N       nothing; the exit code will be N
 * else         the word itself, as an argument that arrived */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void variable_show(const char *name_and_sign)
{
	char name[256];
	snprintf(name, sizeof(name), "%.*s", (int)strlen(name_and_sign) - 1, name_and_sign);
	const char *value = getenv(name);
	if (value)
		printf("%s=%s\n", name, value);
	else
		printf("%s unset\n", name);
}

int main(int argc, char **argv)
{
	int code = 0;
	for (int i = 1; i < argc; i++) {
		size_t length = strlen(argv[i]);
		if (strcmp(argv[i], "library") == 0)
			printf("library %s\n", dlsym(RTLD_DEFAULT, "portshim_version") ? "in" : "out");
		else if (strncmp(argv[i], "exit:", 5) == 0)
			code = atoi(argv[i] + 5);
		else if (length > 1 && argv[i][length - 1] == '=')
			variable_show(argv[i]);
		else
			puts(argv[i]);
	}
	return code;
}
