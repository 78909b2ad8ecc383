// One client, as its argument says: "go" connects in Go, "c" in C; prints what the server on port 5000 answers. "resolve":
// what libc's resolver says.
package main

/*
#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

static int ask(char *answer, int size)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(5000) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0 || write(fd, "hello\n", 6) != 6)
		return -1;
	return (int)read(fd, answer, size);
}
*/
import "C"

import (
	"context"
	"fmt"
	"net"
	"os"
	"unsafe"
)

func main() {
	if os.Args[1] == "resolve" {
		resolver := net.Resolver{PreferGo: false}
		addresses, err := resolver.LookupHost(context.Background(), "there.example")
		fmt.Println(addresses, err)
		return
	}
	answer := make([]byte, 100)
	var length int
	if os.Args[1] == "c" {
		length = int(C.ask((*C.char)(unsafe.Pointer(&answer[0])), C.int(len(answer))))
	} else {
		client, err := net.Dial("tcp", "127.0.0.1:5000")
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		client.Write([]byte("hello\n"))
		length, _ = client.Read(answer)
	}
	fmt.Print(string(answer[:length]))
}
