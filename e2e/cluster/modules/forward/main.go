// Forward makes one TCP address inside a network namespace reachable on a loopback port outside of it.
//
//	forward NAMESPACE PORT TARGET PORTFILE
//
// It listens on 127.0.0.1:PORT where it was started, or on any free port when that one is taken, writes the port
// to PORTFILE, enters NAMESPACE and from there connects every client to TARGET. A listening socket stays in the
// namespace that it was made in, so nothing of the outer network is changed.
package main

import (
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"time"
)

const listenerVar = "FORWARD_LISTENER"

func main() {
	if len(os.Args) != 5 {
		fmt.Fprintln(os.Stderr, "usage: forward NAMESPACE PORT TARGET PORTFILE")
		os.Exit(2)
	}
	if fd, err := strconv.Atoi(os.Getenv(listenerVar)); err == nil {
		serve(fd, os.Args[3])
	}
	enter(os.Args[1], os.Args[2], os.Args[4])
}

// enter listens, joins the namespace and starts this program anew: only so are all its threads inside.
func enter(namespace, port, portFile string) {
	listener, err := net.Listen("tcp4", "127.0.0.1:"+port)
	if errors.Is(err, syscall.EADDRINUSE) {
		listener, err = net.Listen("tcp4", "127.0.0.1:0")
	}
	check(err)
	file, err := listener.(*net.TCPListener).File()
	check(err)
	fd, err := syscall.Dup(int(file.Fd())) // without close-on-exec
	check(err)

	_, port, err = net.SplitHostPort(listener.Addr().String())
	check(err)
	check(os.WriteFile(portFile+".new", []byte(port+"\n"), 0o644))
	check(os.Rename(portFile+".new", portFile))

	runtime.LockOSThread()
	ns, err := os.Open(namespace)
	check(err)
	if _, _, errno := syscall.RawSyscall(sysSetns, ns.Fd(), syscall.CLONE_NEWNET, 0); errno != 0 {
		log.Fatalf("entering %s: %v", namespace, errno)
	}
	env := append(os.Environ(), listenerVar+"="+strconv.Itoa(fd))
	log.Fatal(syscall.Exec("/proc/self/exe", os.Args, env))
}

func serve(fd int, target string) {
	syscall.CloseOnExec(fd)
	listener, err := net.FileListener(os.NewFile(uintptr(fd), "listener"))
	check(err)
	for {
		client, err := listener.Accept()
		if errors.Is(err, syscall.EMFILE) {
			time.Sleep(10 * time.Millisecond)
			continue
		}
		check(err)
		go connect(client.(*net.TCPConn), target)
	}
}

func connect(client *net.TCPConn, target string) {
	defer client.Close()
	conn, err := net.Dial("tcp4", target)
	if err != nil {
		return // the client sees its connection closed, as it would without a forwarder
	}
	server := conn.(*net.TCPConn)
	defer server.Close()
	var both sync.WaitGroup
	both.Go(func() { pipe(server, client) })
	both.Go(func() { pipe(client, server) })
	both.Wait()
}

// pipe copies one direction, then tells the receiver that no more will come.
func pipe(to, from *net.TCPConn) {
	if _, err := io.Copy(to, from); err != nil {
		to.Close()
		from.Close()
		return
	}
	to.CloseWrite()
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
