// Pause holds a pod's namespaces and waits for the children that other containers of the pod leave behind.
package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	// kubeadm upgrade asks a pod for this, to see whether the cluster still runs any.
	if len(os.Args) > 1 && os.Args[1] == "-v" {
		println("pause")
		return
	}
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGCHLD)
	for received := range signals {
		if received != syscall.SIGCHLD {
			return
		}
		for {
			pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil)
			if pid <= 0 && err != syscall.EINTR {
				break
			}
		}
	}
}
