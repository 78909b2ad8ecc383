/* idle.c - a program that never uses the network: its start is all there is to it. */
int main(void)
{
	return 0;
}
