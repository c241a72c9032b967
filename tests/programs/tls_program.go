// Shakes hands as Go's own clients do: arguments are the name to expect, the port on loopback, and the trusted roots (PEM).
package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
)

func main() {
	data, err := os.ReadFile(os.Args[3])
	if err != nil {
		panic(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(data) {
		panic("no certificate in " + os.Args[3])
	}
	connection, err := tls.Dial("tcp", "127.0.0.1:"+os.Args[2], &tls.Config{ServerName: os.Args[1], RootCAs: roots})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	connection.Close()
}
