/* static_hello.c - a program without a dynamic loader, for what is said about one. */
#include <stdio.h>

int main(void)
{
	puts("hello");
	return 0;
}
