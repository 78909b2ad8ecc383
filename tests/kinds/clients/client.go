// One client, as its argument says; prints what the server on port 5000 answers.
package main

import (
	"fmt"
	"net"
	"os"
)

func main() {
	network := os.Args[1]
	client, err := net.Dial(network, "127.0.0.1:5000")
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	client.Write([]byte("hello\n"))
	answer := make([]byte, 100)
	length, _ := client.Read(answer)
	fmt.Print(string(answer[:length]))
}
