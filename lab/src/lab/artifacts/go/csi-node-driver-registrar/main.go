// Tells kubelet of a CSI driver: what the program of this name does, by the same options, as far as a facility needs it.
// Upstream's own cannot be built from Go modules: its module path lacks the major version of its releases.
package main

import (
	"context"
	"flag"
	"log"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	registration "k8s.io/kubelet/pkg/apis/pluginregistration/v1"
)

// CSI's versions that kubelet may speak to the driver.
var versions = []string{"1.0.0"}

type server struct {
	registration.UnsafeRegistrationServer
	name, endpoint string
	refused        chan string
}

func (s server) GetInfo(context.Context, *registration.InfoRequest) (*registration.PluginInfo, error) {
	return &registration.PluginInfo{
		Type: registration.CSIPlugin, Name: s.name, Endpoint: s.endpoint, SupportedVersions: versions,
	}, nil
}

func (s server) NotifyRegistrationStatus(_ context.Context, status *registration.RegistrationStatus) (*registration.RegistrationStatusResponse, error) {
	if status.PluginRegistered {
		log.Printf("kubelet has registered %s", s.name)
	} else {
		s.refused <- status.Error
	}
	return &registration.RegistrationStatusResponse{}, nil
}

// driver asks for the driver's name, and waits for as long as it takes the driver to start.
func driver(address string, wait time.Duration) (string, error) {
	connection, err := grpc.NewClient("unix://"+address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return "", err
	}
	defer connection.Close()
	asked, cancel := context.WithTimeout(context.Background(), wait)
	defer cancel()
	info, err := csi.NewIdentityClient(connection).GetPluginInfo(asked, &csi.GetPluginInfoRequest{}, grpc.WaitForReady(true))
	return info.GetName(), err
}

func main() {
	address := flag.String("csi-address", "/run/csi/socket", "the driver's socket, as seen from here")
	endpoint := flag.String("kubelet-registration-path", "", "the driver's socket, as kubelet sees it")
	folder := flag.String("plugin-registration-path", "/registration", "where kubelet looks for sockets like ours")
	wait := flag.Duration("timeout", time.Minute, "how long the driver may take to answer")
	flag.Int("v", 0, "ignored")
	flag.Parse()
	if *endpoint == "" {
		log.Fatal("--kubelet-registration-path is missing: kubelet would not find the driver")
	}

	name, err := driver(*address, *wait)
	if err != nil {
		log.Fatalf("the driver does not answer on %s: %v", *address, err)
	}
	socket := filepath.Join(*folder, name+"-reg.sock")
	if err := os.Remove(socket); err != nil && !os.IsNotExist(err) {
		log.Fatal(err)
	}
	syscall.Umask(0o077)
	listener, err := net.Listen("unix", socket)
	if err != nil {
		log.Fatal(err)
	}
	served, refused := grpc.NewServer(), make(chan string, 1)
	registration.RegisterRegistrationServer(served, server{name: name, endpoint: *endpoint, refused: refused})
	go func() { log.Fatal(served.Serve(listener)) }()

	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGTERM, syscall.SIGINT)
	select {
	case why := <-refused:
		os.Remove(socket)
		log.Fatalf("kubelet does not take %s: %s", name, why)
	case <-ended:
		// kubelet forgets the driver
		os.Remove(socket)
	}
}
