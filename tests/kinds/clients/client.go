// One client, as its argument says; prints what the server on port 5000 answers. "resolve" asks the name server, "refused"
// goes where nobody listens; "many" is a hundred at once, of whom none says anything. "impatient NETWORK ADDRESS" goes
// anywhere, and waits for a second.
package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"time"
)

func check(err error) {
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

func resolve() {
	addresses, err := net.DefaultResolver.LookupHost(context.Background(), "there.example")
	check(err)
	fmt.Println(addresses)
}

func many() {
	var group sync.WaitGroup
	for i := 0; i < 100; i++ {
		group.Add(1)
		go func() {
			defer group.Done()
			client, err := net.Dial("tcp", "127.0.0.1:5000")
			check(err)
			buffer := make([]byte, 1)
			client.Read(buffer)
			client.Close()
		}()
	}
	group.Wait()
	fmt.Println("all")
}

// Sends without being connected.
func unconnected() {
	client, err := net.ListenPacket("udp4", "127.0.0.1:0")
	check(err)
	_, err = client.WriteTo([]byte("hello\n"), &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 5000})
	check(err)
	answer := make([]byte, 100)
	length, _, err := client.ReadFrom(answer)
	check(err)
	fmt.Print(string(answer[:length]))
}

// "tcp", "udp"; "-6": IPv6; "-bound": to a local address first; "-timeout": not for ever.
func dial(kind string) {
	var dialer net.Dialer
	network, address := strings.Split(kind, "-")[0], "127.0.0.1:5000"
	if strings.HasSuffix(kind, "-6") {
		address = "[::1]:5000"
	}
	if strings.Contains(kind, "-bound") {
		dialer.LocalAddr = &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}
	}
	if strings.Contains(kind, "-timeout") {
		dialer.Timeout = 10 * time.Second
	}
	client, err := dialer.Dial(network, address)
	check(err)
	client.Write([]byte("hello\n"))
	answer := make([]byte, 100)
	length, _ := client.Read(answer)
	fmt.Print(string(answer[:length]))
}

func impatient(network, address string) {
	client, err := net.DialTimeout(network, address, time.Second)
	check(err)
	client.SetDeadline(time.Now().Add(time.Second))
	client.Write([]byte("hello\n"))
	answer := make([]byte, 100)
	length, err := client.Read(answer)
	check(err)
	fmt.Print(string(answer[:length]))
}

func main() {
	switch kind := os.Args[1]; kind {
	case "resolve":
		resolve()
	case "impatient":
		impatient(os.Args[2], os.Args[3])
	case "many":
		many()
	case "udp-unconnected":
		unconnected()
	case "refused":
		_, err := net.Dial("tcp", "127.0.0.1:9")
		check(err)
	default:
		dial(kind)
	}
}
