// Enforces NetworkPolicies on the node that it runs on: kube-network-policies by a kubeconfig. Its
// own command takes the service account of a pod, and brings AdminNetworkPolicy along.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/kube-network-policies/pkg/networkpolicy"
)

func main() {
	kubeconfig := flag.String("kubeconfig", "", "the kubeconfig of who may list pods, namespaces and NetworkPolicies")
	node := flag.String("node", "", "the node's name")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *kubeconfig, *node); err != nil {
		fmt.Fprintln(os.Stderr, "kube-network-policies:", err)
		os.Exit(1)
	}
}

// run enforces what concerns this node's pods until ctx is done or the packets cannot be had.
func run(ctx context.Context, kubeconfig, node string) error {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return err
	}
	// Less to decode than JSON, on a node that is slow.
	config.ContentType = "application/vnd.kubernetes.protobuf"
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	objects := informers.NewSharedInformerFactory(client, 0)
	controller, err := networkpolicy.NewController(client,
		objects.Networking().V1().NetworkPolicies(), objects.Core().V1().Namespaces(), objects.Core().V1().Pods(),
		nil, nil, nil, nil,
		networkpolicy.Config{
			NodeName: node,
			// Kernels before 6.12 lose DNS questions that are asked side by side.
			NetfilterBug1766Fix: true,
		})
	if err != nil {
		return err
	}
	objects.Start(ctx.Done())
	if err := controller.Run(ctx); err != nil {
		return err
	}
	if ctx.Err() == nil {
		return errors.New("it ended by itself")
	}
	return nil
}
